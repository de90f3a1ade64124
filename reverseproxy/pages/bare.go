package pages

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
)

// bareTexts are said in both languages: who is refused before its request could be read has named none.
var bareTexts = map[bool]text{
	true: {
		Title: "Votre navigateur envoie trop d’informations",
		Lines: []string{
			"Effacez les cookies de ce site dans les réglages du navigateur, ou essayez dans une fenêtre privée.",
			"Your browser sends too much. Please delete this site’s cookies in the browser’s settings, or try a private window.",
		},
	},
	false: {
		Title: "Cette demande n’est pas lisible",
		Lines: []string{
			"Reprenez le lien d’où vous venez, ou essayez avec un autre navigateur.",
			"This request cannot be read. Please follow the link again, or try another browser.",
		},
	},
}

// Bare is a whole response of HTTP/1.1, for requests that could not be read, in both languages. It ends the connection.
func (p *Pages) Bare(status int) []byte {
	var body, out bytes.Buffer
	view := view{
		Lang: languages[0], Text: bareTexts[status == http.StatusRequestHeaderFieldsTooLarge], Contact: p.contact, HostedBy: hostedBy[0],
		Style: template.CSS(style), Icon: template.URL(icon),
	}
	if err := layout.Execute(&body, view); err != nil {
		body.Reset() // New has rendered the same layout
	}
	// Writing to a bytes.Buffer cannot fail.
	fmt.Fprintf(&out, "HTTP/1.1 %d %s\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %d\r\nContent-Language: %s\r\n"+
		"Content-Security-Policy: %s\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"+
		"Connection: close\r\n\r\n", status, http.StatusText(status), body.Len(), "fr, en", policy)
	out.Write(body.Bytes())
	return out.Bytes()
}
