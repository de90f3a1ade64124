package viewstest_test

import (
	"strings"
	"testing"

	"chatiere/panel/views/viewstest"
)

const sound = `<!DOCTYPE html><html lang="fr"><head><title>t</title></head><body><main><h1>h</h1>%</main></body></html>`

func TestCheckFindsEachFault(t *testing.T) {
	for body, want := range map[string]string{
		`<p style="color:red">x</p>`:     "style attribute",
		`<style>p{}</style>`:             "inline style sheet",
		`<script>1</script>`:             "inline script",
		`<p onclick="x()">x</p>`:         "onclick",
		`<a href="javascript:x">x</a>`:   "javascript:",
		`<a href="/x"></a>`:              "without words",
		`<a>x</a>`:                       "leads nowhere",
		`<a href="#y">x</a>`:             "names nothing",
		`<p id="a">x</p><p id="a">y</p>`: "used 2 times",
		`<h3>x</h3>`:                     "jumps",
		`<h1>x</h1>`:                     "2 h1",
		`<input name="n">`:               "no label",
		`<label for="n">l</label><input id="n" name="n" aria-invalid="true">`: "does not say why",
		`<form method="post"></form>`:                                         "CSRF",
		`<table><tr><th scope="col">x</th></tr></table>`:                      "caption",
		`<table><caption>c</caption><tr><th>x</th></tr></table>`:              "without scope",
		`<fieldset></fieldset>`:                                               "legend",
		`<img src="x">`:                                                       "without alt",
	} {
		faults, err := viewstest.Check(strings.NewReader(strings.Replace(sound, "%", body, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(strings.Join(faults, "\n"), want) {
			t.Errorf("%s: found %v, want %q", body, faults, want)
		}
	}
}

func TestCheckIsContentWithASoundPage(t *testing.T) {
	body := `<form method="post" action="/x"><input type="hidden" name="csrf" value="v"><label for="n">l</label><input id="n" name="n"><button>b</button></form>`
	faults, err := viewstest.Check(strings.NewReader(strings.Replace(sound, "%", body, 1)))
	if err != nil || len(faults) > 0 {
		t.Errorf("found %v, %v", faults, err)
	}
}

func TestStoriesHaveDifferentNames(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range viewstest.Stories() {
		if seen[s.Name] {
			t.Errorf("%s twice", s.Name)
		}
		seen[s.Name] = true
	}
}
