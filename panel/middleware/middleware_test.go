package middleware_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"chatiere/panel/middleware"
)

func ask(t *testing.T, app *fiber.App, path string, header map[string]string) *http.Response {
	t.Helper()
	req := httptest.NewRequest(http.MethodGet, path, nil)
	for k, v := range header {
		req.Header.Set(k, v)
	}
	res, err := app.Test(req, -1)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func TestAPanicIsAnErrorOfItsOwnRequestWithItsTraceInTheLog(t *testing.T) {
	var log strings.Builder
	var got error
	app := fiber.New(fiber.Config{ErrorHandler: func(c *fiber.Ctx, err error) error {
		got = err
		return c.SendStatus(http.StatusInternalServerError)
	}})
	logger := slog.New(slog.NewTextHandler(&log, nil))
	app.Use(middleware.RequestID(), middleware.AccessLog(logger, time.Now), middleware.Recover(logger))
	app.Get("/", func(*fiber.Ctx) error { panic("hunter2") })
	res := ask(t, app, "/?q=needle", map[string]string{"X-Request-Id": "chosen"})
	id := res.Header.Get("X-Request-Id")
	if res.StatusCode != http.StatusInternalServerError || !errors.Is(got, middleware.ErrPanic) || id == "chosen" || len(id) != 16 {
		t.Errorf("answers %d with id %q after %v", res.StatusCode, id, got)
	}
	if text := log.String(); !strings.Contains(text, "middleware_test.go") || strings.Count(text, id) != 2 || !strings.Contains(text, "status=500") || strings.Contains(text, "needle") {
		t.Errorf("log is %s", text)
	}
}

func TestTheHandlersContextEndsInTimeAndWithTheServer(t *testing.T) {
	server, stop := context.WithCancel(context.Background())
	app := fiber.New()
	app.Use(middleware.Deadline(server, time.Hour))
	app.Get("/", func(c *fiber.Ctx) error {
		end, ok := c.UserContext().Deadline()
		if !ok || time.Until(end) > time.Hour {
			t.Errorf("deadline is %v, %v", end, ok)
		}
		stop()
		<-c.UserContext().Done()
		return nil
	})
	ask(t, app, "/", nil)
}

func TestOnlyOurOwnPagesAreTheSameOrigin(t *testing.T) {
	const own = "https://panel.lilas.example"
	for _, c := range []struct {
		site, origin string
		want         bool
	}{
		{"same-origin", "", true}, {"none", "", true}, {"same-site", own, false}, {"cross-site", own, false}, {"SAME-ORIGIN", "", false},
		{"", own, true}, {"", "", false}, {"", "null", false}, {"", "https://blog.lilas.example", false},
	} {
		app := fiber.New()
		app.Get("/", func(ctx *fiber.Ctx) error {
			if got := middleware.SameOrigin(ctx, own); got != c.want {
				t.Errorf("Sec-Fetch-Site %q, Origin %q: %v, want %v", c.site, c.origin, got, c.want)
			}
			return nil
		})
		ask(t, app, "/", map[string]string{"Sec-Fetch-Site": c.site, "Origin": c.origin})
	}
}

func TestAQuietPathIsOnlyLoggedToThoseWhoDebug(t *testing.T) {
	var log strings.Builder
	app := fiber.New()
	app.Use(middleware.AccessLog(slog.New(slog.NewTextHandler(&log, nil)), time.Now, "/health"))
	app.Get("/*", func(*fiber.Ctx) error { return nil })
	ask(t, app, "/health", nil)
	ask(t, app, "/other", nil)
	if text := log.String(); strings.Contains(text, "/health") || !strings.Contains(text, "/other") {
		t.Errorf("log is %s", text)
	}
}

func TestAChosenLanguageIsRememberedAndLeavesTheAddress(t *testing.T) {
	app := fiber.New()
	app.Use(middleware.Language([]string{"fr", "en"}))
	app.All("/*", func(c *fiber.Ctx) error { return c.SendString(middleware.LanguageOf(c)) })
	for path, want := range map[string]string{
		"/sites?lang=en": "/sites", "/sites?q=a&lang=en&x=1": "/sites?q=a&x=1", "/?lang=fr": "/", "//elsewhere.example/a?lang=en": "/elsewhere.example/a",
	} {
		res := ask(t, app, path, nil)
		cookie := res.Header.Get("Set-Cookie")
		if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != want || !strings.HasPrefix(cookie, middleware.LanguageCookie+"=") {
			t.Errorf("%s leads to %q with %d and cookie %q", path, res.Header.Get("Location"), res.StatusCode, cookie)
		}
	}
	for name, c := range map[string]struct {
		path   string
		header map[string]string
		want   string
	}{
		"nothing":                  {"/", nil, "fr"},
		"a language nobody knows":  {"/?lang=de", nil, "fr"},
		"the cookie":               {"/", map[string]string{"Cookie": middleware.LanguageCookie + "=en", "Accept-Language": "fr"}, "en"},
		"another cookie":           {"/", map[string]string{"Cookie": middleware.LanguageCookie + "=de", "Accept-Language": "en"}, "en"},
		"the browser":              {"/", map[string]string{"Accept-Language": "de, en-GB;q=0.8, fr;q=0.5"}, "en"},
		"a browser we cannot suit": {"/", map[string]string{"Accept-Language": "de"}, "fr"},
		"nonsense":                 {"/", map[string]string{"Accept-Language": ";;;"}, "fr"},
	} {
		res := ask(t, app, c.path, c.header)
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK || string(body) != c.want {
			t.Errorf("%s: %d %q, %v", name, res.StatusCode, body, err)
		}
	}
}
