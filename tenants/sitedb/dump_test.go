package sitedb

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"chatiere/tenants"
)

func TestOwnersOfViewsAndTriggersBecomeTheImporter(t *testing.T) {
	long := "INSERT INTO x VALUES ('" + strings.Repeat("a", 200_000) + "');\n"
	dump := "-- head\n" +
		"/*!50013 DEFINER=`site_s1`@`localhost` SQL SECURITY DEFINER */\n" +
		long +
		"/*!50003 CREATE*/ /*!50017 DEFINER=`odd``name`@`%`*/ /*!50003 TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET @a='/*!50013 DEFINER=`u`@`h`' */;;\n" +
		"INSERT INTO x VALUES ('/*!50013 DEFINER=`u`@`h` stays');\n" +
		"-- end without a line break"
	want := "-- head\n" +
		"/*!50013 DEFINER=CURRENT_USER SQL SECURITY DEFINER */\n" +
		long +
		"/*!50003 CREATE*/ /*!50017 DEFINER=CURRENT_USER*/ /*!50003 TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET @a='/*!50013 DEFINER=`u`@`h`' */;;\n" +
		"INSERT INTO x VALUES ('/*!50013 DEFINER=`u`@`h` stays');\n" +
		"-- end without a line break"
	for name, r := range map[string]io.Reader{"at once": strings.NewReader(dump), "in single bytes": iotest.OneByteReader(strings.NewReader(dump))} {
		got, err := io.ReadAll(newDefinerReader(r))
		if err != nil || string(got) != want {
			t.Errorf("%s: %v, %d bytes, want %d:\n%.400s", name, err, len(got), len(want), got)
		}
	}
	broken := errors.New("the repository is damaged")
	_, err := io.ReadAll(newDefinerReader(io.MultiReader(strings.NewReader("-- head\n"), iotest.ErrReader(broken))))
	if !errors.Is(err, broken) {
		t.Errorf("an error of the source became %v", err)
	}
}

// scripted answers commands in a container.
type scripted struct {
	exit int
	seen []tenants.Exec
}

func (s *scripted) Exec(_ context.Context, name string, e tenants.Exec) (tenants.ExecResult, error) {
	s.seen = append(s.seen, e)
	if e.Stdout != nil {
		_, _ = io.WriteString(e.Stdout, "-- Dump completed\n")
	}
	return tenants.ExecResult{ExitCode: s.exit, Stderr: "Error 1: " + name}, nil
}

func TestAProgramThatFailsIsAnError(t *testing.T) {
	for _, exit := range []int{0, 2} {
		engine := &scripted{exit: exit}
		d := Dumper{Engine: engine, Container: "mariadb-sites", User: "admin", Password: "secret-of-the-admin"}
		if err := d.dump(t.Context(), io.Discard, "--single-transaction", "site_s1"); (err != nil) != (exit != 0) {
			t.Errorf("a dump that exits with %d: %v", exit, err)
		}
		if err := d.Import(t.Context(), "site_s123456789_2", "secret", strings.NewReader("")); (err != nil) != (exit != 0) {
			t.Errorf("an import that exits with %d: %v", exit, err)
		}
		for _, x := range engine.seen {
			if slices.ContainsFunc(x.Command, func(a string) bool { return strings.Contains(a, "secret") }) {
				t.Errorf("a password stands on the command line %q", x.Command)
			}
		}
	}
	if err := (&Dumper{Engine: &scripted{}}).Import(t.Context(), "mysql", "x", nil); !errors.Is(err, tenants.ErrInvalid) {
		t.Errorf("importing into the server's own database: %v", err)
	}
}
