package middleware

import (
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"
	"golang.org/x/text/language"
)

// LanguageCookie remembers the language a person chose.
const LanguageCookie = "__Host-chatiere-lang"

// Language finds the language of the answer: "?lang=" (which is remembered, and then leaves the address), the cookie,
// the browser's wish, and else the first of known.
func Language(known []string) fiber.Handler {
	tags := make([]language.Tag, 0, len(known))
	for _, k := range known {
		tags = append(tags, language.Make(k))
	}
	matcher := language.NewMatcher(tags)
	return func(c *fiber.Ctx) error {
		if chosen := c.Query("lang"); slices.Contains(known, chosen) {
			c.Cookie(&fiber.Cookie{
				Name: LanguageCookie, Value: chosen, Path: "/", Secure: true, HTTPOnly: true, SameSite: "Lax",
				MaxAge: int(365 * 24 * time.Hour / time.Second),
			})
			if c.Method() == fiber.MethodGet {
				return c.Redirect(withoutLanguage(c), fiber.StatusSeeOther)
			}
		}
		c.Locals(languageKey, choose(c, known, matcher))
		return c.Next()
	}
}

func choose(c *fiber.Ctx, known []string, matcher language.Matcher) string {
	if cookie := c.Cookies(LanguageCookie); slices.Contains(known, cookie) {
		return cookie
	}
	wishes, _, err := language.ParseAcceptLanguage(c.Get(fiber.HeaderAcceptLanguage))
	if err != nil || len(wishes) == 0 {
		return known[0]
	}
	_, i, confidence := matcher.Match(wishes...)
	if confidence == language.No {
		return known[0]
	}
	return known[i]
}

// withoutLanguage keeps a chosen language out of bookmarks and out of a second round. The path is the one just asked
// for; a leading "//" would name another host.
func withoutLanguage(c *fiber.Ctx) string {
	query := c.Request().URI().QueryArgs()
	query.Del("lang")
	path := "/"
	for i, b := range []byte(c.Path()) {
		if b != '/' {
			path += c.Path()[i:]
			break
		}
	}
	if rest := query.String(); rest != "" {
		path += "?" + rest
	}
	return path
}

// LanguageOf returns the language Language found.
func LanguageOf(c *fiber.Ctx) string {
	lang, _ := c.Locals(languageKey).(string)
	return lang
}
