package views

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"

	"chatiere/panel/assets"
)

// The languages of the panel. French comes first: it is what people get who asked for neither.
const (
	French  = "fr"
	English = "en"
)

// oneLine keeps the non-breaking spaces, which strings.Fields would not.
var oneLine = strings.NewReplacer("\r\n", " ", "\n", " ", "\r", " ")

// ErrNoTemplate tells that a page has no template of its name.
var ErrNoTemplate = errors.New("no such template")

//go:embed templates fr.json en.json
var files embed.FS

// Set is every page in every language, parsed once. It is safe for concurrent use.
type Set struct {
	languages map[string]language
}

type language struct {
	words *Catalogue
	pages map[string]*template.Template
	parts *template.Template
}

// Part is a piece of a page that is also sent alone, to take the place of its elder.
type Part interface {
	part() string
}

// New parses the templates. now is the clock that relative times ("il y a 40 secondes") are told by.
func New(static *assets.Set, now func() time.Time) (*Set, error) {
	s := &Set{languages: map[string]language{}}
	for _, lang := range Languages() {
		words, err := LoadCatalogue(lang)
		if err != nil {
			return nil, err
		}
		formats, err := newFormats(lang, words, now)
		if err != nil {
			return nil, err
		}
		l, err := parse(words, functions(lang, words, formats, static))
		if err != nil {
			return nil, fmt.Errorf("parsing templates: %w", err)
		}
		l.words = words
		s.languages[lang] = l
	}
	return s, nil
}

// Languages lists the languages, the default one first.
func Languages() []string { return []string{French, English} }

func parse(words *Catalogue, funcs template.FuncMap) (language, error) {
	parts, err := read(template.New("parts").Funcs(funcs).Option("missingkey=error"), words, "templates/parts/*.tmpl")
	if err != nil {
		return language{}, err
	}
	names, err := fs.Glob(files, "templates/pages/*.tmpl")
	if err != nil {
		return language{}, err
	}
	l := language{parts: parts, pages: map[string]*template.Template{}}
	for _, name := range names {
		page, err := parts.Clone()
		if err == nil {
			page, err = read(page, words, name)
		}
		if err != nil {
			return language{}, err
		}
		l.pages[strings.TrimSuffix(path.Base(name), ".tmpl")] = page
	}
	return l, nil
}

// fixed finds words that are the same on every page: {{T "key"}}.
var fixed = regexp.MustCompile(`\{\{T "([a-z0-9._-]+)"\}\}`)

// read parses files into t. Words that depend on nothing are put in here, once: a list of two hundred sites says the same
// few for each of them, and calling a function from a template costs more than all else on such a page.
func read(t *template.Template, words *Catalogue, pattern string) (*template.Template, error) {
	names, err := fs.Glob(files, pattern)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		source, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		var faults []error
		text := fixed.ReplaceAllStringFunc(string(source), func(found string) string {
			said, err := words.Say(fixed.FindStringSubmatch(found)[1])
			faults = append(faults, err)
			return template.HTMLEscapeString(said)
		})
		if err := errors.Join(faults...); err != nil {
			return nil, fmt.Errorf("template %s: %w", name, err)
		}
		if _, err := t.New(path.Base(name)).Parse(text); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Render draws a page. Nothing is written when drawing fails.
func (s *Set) Render(w io.Writer, lang string, page Page) error {
	t, ok := s.language(lang).pages[page.template()]
	if !ok {
		return fmt.Errorf("page %s: %w", page.template(), ErrNoTemplate)
	}
	return draw(w, t, "layout", page)
}

// RenderPart draws a part alone, on one line, as an event's data must be.
func (s *Set) RenderPart(w io.Writer, lang string, part Part) error {
	var b bytes.Buffer
	if err := draw(&b, s.language(lang).parts, part.part(), part); err != nil {
		return err
	}
	_, err := io.WriteString(w, oneLine.Replace(b.String()))
	return err
}

// sheets are what pages are drawn on before they go out. Growing a new one for each would be half of what a long page
// allocates.
var sheets = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxSheet is the size from which one is not kept.
const maxSheet = 1 << 20

func draw(w io.Writer, t *template.Template, name string, data any) error {
	b := sheets.Get().(*bytes.Buffer)
	defer func() {
		if b.Cap() <= maxSheet {
			b.Reset()
			sheets.Put(b)
		}
	}()
	if err := t.ExecuteTemplate(b, name, data); err != nil {
		return fmt.Errorf("drawing %s: %w", name, err)
	}
	_, err := b.WriteTo(w)
	return err
}

func (s *Set) language(lang string) language {
	if l, ok := s.languages[lang]; ok {
		return l
	}
	return s.languages[French]
}
