package views

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Catalogue is every text of one language by its key.
type Catalogue struct {
	lang  string
	texts map[string]Text
}

// Text is one entry: a text, or its forms by number.
type Text struct {
	One   string // French: 0 and 1; English: 1
	Other string
}

// UnmarshalJSON takes "text" or {"one": …, "other": …}.
func (t *Text) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		if err := json.Unmarshal(b, &t.Other); err != nil {
			return err
		}
		t.One = t.Other
		return nil
	}
	var forms struct {
		One   string `json:"one"`
		Other string `json:"other"`
	}
	if err := json.Unmarshal(b, &forms); err != nil {
		return err
	}
	*t = Text{One: forms.One, Other: forms.Other}
	return nil
}

// LoadCatalogue reads the embedded catalogue of a language.
func LoadCatalogue(lang string) (*Catalogue, error) {
	b, err := files.ReadFile(lang + ".json")
	if err != nil {
		return nil, fmt.Errorf("reading catalogue: %w", err)
	}
	c := &Catalogue{lang: lang}
	if err := json.Unmarshal(b, &c.texts); err != nil {
		return nil, fmt.Errorf("reading catalogue %s: %w", lang, err)
	}
	return c, nil
}

// Keys lists the keys of the catalogue.
func (c *Catalogue) Keys() []string {
	keys := make([]string, 0, len(c.texts))
	for k := range c.texts {
		keys = append(keys, k)
	}
	return keys
}

// Text finds an entry.
func (c *Catalogue) Text(key string) (Text, bool) {
	t, ok := c.texts[key]
	return t, ok
}

// Say puts a key into words: {0}, {1}… are replaced by the arguments, and the first whole number among
// them chooses the form. A missing key is an error, so that a test meets it and no reader does.
func (c *Catalogue) Say(key string, args ...any) (string, error) {
	t, ok := c.texts[key]
	if !ok {
		return "", fmt.Errorf("catalogue %s has no text %q", c.lang, key)
	}
	text := t.Other
	if n, ok := firstNumber(args); ok && c.singular(n) {
		text = t.One
	}
	for i, a := range args {
		text = strings.ReplaceAll(text, fmt.Sprintf("{%d}", i), c.argument(a))
	}
	return text, nil
}

// word puts a value of an enumeration into words; a value without words gets the family's "other".
func (c *Catalogue) word(family string, value any, args ...any) (string, error) {
	key := family + "." + fmt.Sprint(value)
	if _, ok := c.texts[key]; !ok {
		key = family + ".other"
	}
	return c.Say(key, args...)
}

// spell writes a small number at the head of a sentence in words.
func (c *Catalogue) spell(n int) string {
	if t, ok := c.texts["number."+strconv.Itoa(n)]; ok {
		return t.Other
	}
	return number(c.lang, int64(n))
}

// step names a step: the words of its kind of operation, those of its name, the plan's own title, its name.
func (c *Catalogue) step(kind OperationKind, name, title string) string {
	for _, key := range []string{"step." + string(kind) + "." + name, "step." + name} {
		if t, ok := c.texts[key]; ok {
			return t.Other
		}
	}
	if title != "" {
		return title
	}
	return name
}

func (c *Catalogue) singular(n int64) bool {
	return n == 1 || (n == 0 && c.lang == French)
}

func (c *Catalogue) argument(a any) string {
	if n, ok := whole(a); ok {
		return number(c.lang, n)
	}
	return fmt.Sprint(a)
}

func firstNumber(args []any) (int64, bool) {
	for _, a := range args {
		if n, ok := whole(a); ok {
			return n, true
		}
	}
	return 0, false
}

func whole(a any) (int64, bool) {
	switch n := a.(type) {
	case int:
		return int64(n), true
	case int64:
		return n, true
	}
	return 0, false
}

// detail puts into words what was noted beside an act; what has none is shown as it stands: addresses, ids, counts.
func (c *Catalogue) detail(noted string) string {
	if t, ok := c.texts["detail."+strings.ReplaceAll(noted, " ", "-")]; ok {
		return t.Other
	}
	return noted
}

// someone is whoever asked or decided, in the middle of a sentence.
func (c *Catalogue) someone(name string) (string, error) {
	if name == OnServer {
		return c.Say("egress.on-server")
	}
	return name, nil
}
