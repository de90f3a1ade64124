package pages

import "html/template"

// style is written by its hash into the policy, so it must reach the page unchanged: no markup in it.
const style = `
:root{color-scheme:light dark;--paper:#faf8f4;--ink:#1d2730;--ink2:#55616c;--line:#e3dcd1;--accent:#0b5a6b}
@media (prefers-color-scheme:dark){:root{--paper:#14191d;--ink:#eef1f3;--ink2:#a9b4bd;--line:#333d45;--accent:#6cc5d6}}
*{box-sizing:border-box}
html{font:17px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;-webkit-text-size-adjust:100%}
body{margin:0;min-height:100vh;display:flex;flex-direction:column;background:var(--paper);color:var(--ink)}
main{flex:1;max-width:640px;width:100%;margin:0 auto;padding:clamp(32px,10vh,96px) 20px 32px;text-align:center}
.sign{width:88px;height:108px;margin-bottom:28px}
.arch,.eye{fill:var(--accent)}
.cat{fill:var(--paper)}
.stroke{fill:none;stroke:var(--accent);stroke-width:2.5;stroke-linecap:round}
.sill{fill:var(--line)}
h1{margin:0 0 12px;font-size:clamp(1.5rem,5vw,1.9rem);line-height:1.2;font-weight:700;text-wrap:balance}
p{margin:0 0 2px;color:var(--ink2);text-wrap:balance}
.more{margin-top:24px}
a{color:var(--accent);display:inline-block;padding:10px 4px;text-underline-offset:3px}
button{font:inherit;font-weight:600;color:var(--paper);background:var(--accent);border:0;border-radius:8px;padding:12px 20px;cursor:pointer}
a:focus-visible,button:focus-visible{outline:3px solid var(--accent);outline-offset:2px;border-radius:8px}
footer{padding:16px 20px 24px;text-align:center;color:var(--ink2);font-size:.9rem}
@media (max-width:480px){html{font-size:16px}}
`

// icon is the sign in small; browsers would otherwise ask the site for one.
const icon = `data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 88 108'%3E%3Cpath fill='%230b5a6b' d='M4 104V44a40 40 0 0 1 80 0v60z'/%3E%3Cpath fill='%23faf8f4' d='M20 104V66c0-8 2-14 5-19l-1-19c0-3 2-4 4-2l9 10q7-2 14 0l9-10c2-2 4-1 4 2l-1 19c3 5 5 11 5 19v38z'/%3E%3C/svg%3E`

var layout = template.Must(template.New("page").Parse(`<!doctype html>
<html lang="{{.Lang}}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{{.Text.Title}}</title>
<link rel="icon" href="{{.Icon}}">
<style>{{.Style}}</style>
</head>
<body>
<main>
<svg class="sign" viewBox="0 0 88 108" aria-hidden="true" focusable="false">
<path class="arch" d="M4 104V44a40 40 0 0 1 80 0v60z"/>
<path class="cat" d="M20 104V66c0-8 2-14 5-19l-1-19c0-3 2-4 4-2l9 10q7-2 14 0l9-10c2-2 4-1 4 2l-1 19c3 5 5 11 5 19v38z"/>
{{if .AsleepEyes}}<path class="stroke" d="M30 58q4.5 4 9 0M49 58q4.5 4 9 0"/>
{{else}}<circle class="eye" cx="35" cy="57" r="4"/><circle class="eye" cx="53" cy="57" r="4"/>
{{end}}<path class="eye" d="M41.5 65h5L44 68z"/>
<path class="stroke" d="M33 67l-9-2M33 71l-9 3M55 67l9-2M55 71l9 3"/>
<rect class="sill" x="0" y="103" width="88" height="3" rx="1.5"/>
</svg>
<h1>{{.Text.Title}}</h1>
{{range .Text.Lines}}<p>{{.}}</p>
{{end}}{{if .Text.Button}}<form class="more" method="post" action="{{.Clear}}"><button>{{.Text.Button}}</button></form>
{{end}}{{if .Text.Home}}<p class="more"><a href="/">{{.Text.Home}}</a></p>
{{end}}{{if and .Text.Help .Contact.Email}}<p class="more">{{.Text.Help}} <a href="mailto:{{.Contact.Email}}">{{.Contact.Email}}</a></p>
{{end}}</main>
{{if .Contact.Name}}<footer>{{.HostedBy}} {{.Contact.Name}}</footer>
{{end}}</body>
</html>
`))
