package viewstest

import (
	"fmt"
	"io"
	"strings"

	"golang.org/x/net/html"
)

// Check reads a page and tells what breaks the structure that people with screen readers and our content
// security policy rely on. An empty answer means nothing was found.
func Check(r io.Reader) ([]string, error) {
	root, err := html.Parse(r)
	if err != nil {
		return nil, err
	}
	c := &check{ids: map[string]int{}, count: map[string]int{}, labels: map[string]bool{}}
	c.each(root, c.collect)
	c.each(root, c.judge)
	c.whole()
	return c.faults, nil
}

// Links lists where a page leads within the panel: "GET /sites/new", "POST /sites", without queries.
func Links(r io.Reader) ([]string, error) {
	root, err := html.Parse(r)
	if err != nil {
		return nil, err
	}
	var links []string
	new(check).each(root, func(n *html.Node) {
		method, to := "GET", attr(n, "href")
		if n.Data == "form" {
			method, to = strings.ToUpper(attr(n, "method")), attr(n, "action")
		}
		if n.Data == "section" {
			to = attr(n, "data-events")
		}
		if strings.HasPrefix(to, "/") {
			to, _, _ = strings.Cut(to, "?")
			links = append(links, method+" "+to)
		}
	})
	return links, nil
}

type check struct {
	faults  []string
	ids     map[string]int
	count   map[string]int
	labels  map[string]bool
	heading int
}

func (c *check) fault(format string, args ...any) {
	c.faults = append(c.faults, fmt.Sprintf(format, args...))
}

func (c *check) each(n *html.Node, visit func(*html.Node)) {
	if n.Type == html.ElementNode {
		visit(n)
	}
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		c.each(child, visit)
	}
}

func (c *check) collect(n *html.Node) {
	c.count[n.Data]++
	if id := attr(n, "id"); id != "" {
		c.ids[id]++
	}
	if n.Data == "label" {
		c.labels[attr(n, "for")] = true
	}
}

func (c *check) judge(n *html.Node) {
	c.policy(n)
	c.references(n)
	switch n.Data {
	case "html":
		c.want(attr(n, "lang") != "", "html has no lang")
	case "title":
		c.want(text(n) != "", "title is empty")
	case "h1", "h2", "h3", "h4":
		level := int(n.Data[1] - '0')
		c.want(level <= c.heading+1, "heading %q jumps from h%d to h%d", text(n), c.heading, level)
		c.want(text(n) != "", "%s is empty", n.Data)
		c.heading = level
	case "a", "button":
		c.want(text(n) != "" || attr(n, "aria-label") != "", "%s without words", n.Data)
		c.want(n.Data != "a" || attr(n, "href") != "", "link %q leads nowhere", text(n))
	case "img":
		c.want(has(n, "alt"), "img without alt")
	case "input", "select", "textarea":
		c.field(n)
	case "form":
		c.form(n)
	case "table":
		c.table(n)
	case "fieldset":
		c.want(first(n, "legend") != nil, "fieldset without legend")
	}
}

// policy is what a content security policy without 'unsafe-inline' would block.
func (c *check) policy(n *html.Node) {
	c.want(n.Data != "style", "inline style sheet")
	c.want(n.Data != "script" || (attr(n, "src") != "" && n.FirstChild == nil), "inline script")
	for _, a := range n.Attr {
		c.want(a.Key != "style", "%s has a style attribute", n.Data)
		c.want(!strings.HasPrefix(a.Key, "on"), "%s has an %s attribute", n.Data, a.Key)
		c.want(!strings.HasPrefix(strings.ToLower(a.Val), "javascript:"), "%s has a javascript: address", n.Data)
	}
}

func (c *check) references(n *html.Node) {
	for _, key := range []string{"aria-labelledby", "aria-describedby", "for"} {
		for _, id := range strings.Fields(attr(n, key)) {
			c.want(c.ids[id] > 0, "%s=%q names nothing", key, id)
		}
	}
	if id, ok := strings.CutPrefix(attr(n, "href"), "#"); ok {
		c.want(c.ids[id] > 0, "link to #%s names nothing", id)
	}
}

func (c *check) field(n *html.Node) {
	if attr(n, "type") == "hidden" {
		return
	}
	c.want(c.labels[attr(n, "id")] || attr(n, "aria-label") != "", "field %q has no label", attr(n, "name"))
	c.want(attr(n, "aria-invalid") == "" || attr(n, "aria-describedby") != "", "field %q is wrong and does not say why", attr(n, "name"))
}

func (c *check) form(n *html.Node) {
	if attr(n, "method") != "post" {
		return
	}
	found := false
	c.each(n, func(in *html.Node) {
		found = found || (in.Data == "input" && attr(in, "name") == "csrf" && attr(in, "value") != "")
	})
	c.want(found, "form %q posts without a CSRF token", attr(n, "action"))
}

func (c *check) table(n *html.Node) {
	c.want(first(n, "caption") != nil, "table without caption")
	c.each(n, func(th *html.Node) {
		c.want(th.Data != "th" || attr(th, "scope") != "", "th %q without scope", text(th))
	})
}

func (c *check) whole() {
	for _, name := range []string{"h1", "main", "title"} {
		c.want(c.count[name] == 1, "%d %s, want 1", c.count[name], name)
	}
	for id, n := range c.ids {
		c.want(n == 1, "id %q is used %d times", id, n)
	}
}

func (c *check) want(ok bool, format string, args ...any) {
	if !ok {
		c.fault(format, args...)
	}
}

func first(n *html.Node, name string) *html.Node {
	for child := n.FirstChild; child != nil; child = child.NextSibling {
		if child.Type == html.ElementNode && child.Data == name {
			return child
		}
		if found := first(child, name); found != nil {
			return found
		}
	}
	return nil
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, key string) bool {
	for _, a := range n.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}

// text is what a node says, without leading and trailing space.
func text(n *html.Node) string {
	var b strings.Builder
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		if n.Type == html.TextNode {
			b.WriteString(n.Data)
		}
		for child := n.FirstChild; child != nil; child = child.NextSibling {
			walk(child)
		}
	}
	walk(n)
	return strings.TrimSpace(b.String())
}
