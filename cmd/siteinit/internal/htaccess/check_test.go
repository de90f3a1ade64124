package htaccess_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"chatiere/cmd/siteinit/internal/htaccess"
)

// check asks about a file below a root that holds these .htaccess files, by directory.
func check(t *testing.T, files map[string]string, file string, change ...func(*htaccess.Request)) htaccess.Decision {
	t.Helper()
	root := t.TempDir()
	for dir, text := range files {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, dir, ".htaccess"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r := htaccess.Request{Root: root, File: root + "/" + file, URL: "/wp-content/" + file, Method: "GET", Client: netip.MustParseAddr("203.0.113.7")}
	for _, c := range change {
		c(&r)
	}
	return htaccess.Check(r)
}

// What plugins write, and what Apache makes of it.
const (
	denyBoth = "<IfModule mod_authz_core.c>\n\tRequire all denied\n</IfModule>\n<IfModule !mod_authz_core.c>\n\tOrder Deny,Allow\n\tDeny from all\n</IfModule>\n"
	denyPHP  = "<Files *.php>\ndeny from all\n</Files>\n"
	akismet  = `# Only allow direct access to specific Web-available files.

# Apache 2.2
<IfModule !mod_authz_core.c>
	Order Deny,Allow
	Deny from all
</IfModule>

# Apache 2.4
<IfModule mod_authz_core.c>
	Require all denied
</IfModule>

# Akismet CSS and JS
<FilesMatch "^(form\.js|akismet(-frontend|-admin)?\.js|akismet(-admin)?(-rtl)?\.css|inter\.css)$">
	<IfModule !mod_authz_core.c>
		Allow from all
	</IfModule>

	<IfModule mod_authz_core.c>
		Require all granted
	</IfModule>
</FilesMatch>
`
	edd = `Options -Indexes
deny from all
<FilesMatch '\.(jpg|jpeg|png|gif|mp3|ogg)$'>
    Order Allow,Deny
    Allow from all
</FilesMatch>
`
	dumps    = "# BEGIN\nOptions -Indexes\n<FilesMatch \"\\.(zip|sql|log)$\">\nRequire all denied\n</FilesMatch>\n"
	password = "AuthType Basic\nAuthName \"Membres\"\nAuthUserFile /home/x/.htpasswd\nRequire valid-user\n"
	webp     = "<IfModule mod_rewrite.c>\nRewriteEngine On\nRewriteCond %{HTTP_ACCEPT} image/webp\nRewriteCond %{REQUEST_FILENAME}.webp -f\nRewriteRule ^(.+)\\.jpg$ $1.webp [T=image/webp,L]\n</IfModule>\n"
	hotlink  = "RewriteEngine on\nRewriteCond %{HTTP_REFERER} !^$\nRewriteCond %{HTTP_REFERER} !^https://(www\\.)?asso\\.example [NC]\nRewriteRule \\.(jpe?g|png)$ - [NC,F,L]\n"
	members  = "RewriteEngine on\nRewriteCond %{HTTP_COOKIE} !wordpress_logged_in [NC]\nRewriteRule .* - [F]\n"
)

func TestAccessIsAsApacheWouldHaveIt(t *testing.T) {
	for name, c := range map[string]struct {
		files           map[string]string
		denied, allowed []string
		noted           string // the directive that is noted; "": none
	}{
		"nothing":                   {files: nil, allowed: []string{"a.jpg", "uploads/2026/a.jpg"}},
		"both spellings":            {files: map[string]string{"uploads/x": denyBoth}, denied: []string{"uploads/x/a.pdf", "uploads/x/y/z/a.pdf"}, allowed: []string{"uploads/a.pdf", "uploads/xy/a.pdf"}},
		"2.4":                       {files: map[string]string{"u": "Require all denied"}, denied: []string{"u/a"}},
		"2.2":                       {files: map[string]string{"u": "deny from all"}, denied: []string{"u/a"}},
		"2.2 in other letters":      {files: map[string]string{"u": "ORDER Allow,Deny\r\nDENY FROM ALL\r\n"}, denied: []string{"u/a"}},
		"order alone":               {files: map[string]string{"u": "Order allow,deny"}, denied: []string{"u/a"}},
		"order apart":               {files: map[string]string{"u": "Order deny, allow"}, allowed: []string{"u/a"}},
		"allowed and denied":        {files: map[string]string{"u": "Order allow,deny\nAllow from all\nDeny from all", "v": "Order deny,allow\nDeny from all\nAllow from all"}, denied: []string{"u/a"}, allowed: []string{"v/a"}},
		"programs alone":            {files: map[string]string{"u": denyPHP}, denied: []string{"u/x.php", "u/y/x.php"}, allowed: []string{"u/photo.jpg", "u/php.jpg", "u/x.php.pdf"}},
		"several programs":          {files: map[string]string{"u": "<FilesMatch \"\\.(?:php|phtml)[0-9]?$\">\nRequire all denied\n</FilesMatch>"}, denied: []string{"u/x.phtml"}, allowed: []string{"u/a.png"}},
		"files by pattern":          {files: map[string]string{"u": "<Files ~ \"^tokens\">\nOrder allow,deny\nDeny from all\nSatisfy All\n</Files>"}, denied: []string{"u/tokens.json"}, allowed: []string{"u/my-tokens.json"}, noted: "satisfy"},
		"one file":                  {files: map[string]string{"u": "<Files \"a b.csv\">\nRequire all denied\n</Files>"}, denied: []string{"u/a b.csv"}, allowed: []string{"u/a"}},
		"not these letters":         {files: map[string]string{"u": "<Files [!a]*>\nRequire all denied\n</Files>"}, denied: []string{"u/b.csv"}, allowed: []string{"u/a.csv"}},
		"a plugin's own files":      {files: map[string]string{"plugins/akismet": akismet}, denied: []string{"plugins/akismet/akismet.php", "plugins/akismet/LICENSE.txt", "plugins/akismet/_inc/img/a.png"}, allowed: []string{"plugins/akismet/_inc/akismet.js", "plugins/akismet/_inc/akismet-admin-rtl.css"}},
		"all but pictures":          {files: map[string]string{"u/edd": edd}, denied: []string{"u/edd/book.epub"}, allowed: []string{"u/edd/cover.jpg", "u/edd/2026/song.mp3"}},
		"dumps":                     {files: map[string]string{"": dumps}, denied: []string{"b/a.zip"}, allowed: []string{"b/a.pdf"}},
		"the nearest wins":          {files: map[string]string{"u": "Require all denied", "u/open": "Require all granted"}, denied: []string{"u/a"}, allowed: []string{"u/open/a"}},
		"the nearest of 2.2":        {files: map[string]string{"u": "Deny from all", "u/open": "Allow from all"}, denied: []string{"u/a"}, allowed: []string{"u/open/a"}},
		"spellings do not undo":     {files: map[string]string{"u": "Require all denied", "u/open": "Allow from all"}, denied: []string{"u/open/a"}},
		"files before directories":  {files: map[string]string{"u": denyPHP, "u/open": "Order allow,deny\nAllow from all"}, denied: []string{"u/open/x.php"}, allowed: []string{"u/open/a"}},
		"other modules":             {files: map[string]string{"u": "<IfModule mod_php7.c>\nphp_flag engine off\nRequire all denied\n</IfModule>\n<IfModule !headers_module>\nRequire all denied\n</IfModule>"}, allowed: []string{"u/a"}},
		"nested modules":            {files: map[string]string{"u": "<IfModule mod_rewrite.c>\n<IfModule mod_authz_core.c>\nRequire all denied\n</IfModule>\n</IfModule>"}, denied: []string{"u/a"}},
		"versions":                  {files: map[string]string{"u": "<IfVersion < 2.4>\nDeny from all\n</IfVersion>\n<IfVersion >= 2.4>\nRequire all granted\n</IfVersion>"}, allowed: []string{"u/a"}},
		"versions that deny":        {files: map[string]string{"u": "<IfVersion !< 2.4>\nRequire all denied\n</IfVersion>"}, denied: []string{"u/a"}},
		"containers":                {files: map[string]string{"u": "<RequireAny>\nRequire ip 203.0.113\n</RequireAny>", "v": "<RequireAll>\nRequire all granted\nRequire not ip 203.0.113.0/24\n</RequireAll>"}, allowed: []string{"u/a"}, denied: []string{"v/a"}},
		"addresses":                 {files: map[string]string{"u": "Require ip 10.0.0.0/8 203.0.113.7", "v": "Require ip 10", "w": "Order deny,allow\nDeny from all\nAllow from 203.0.0.0/255.255.0.0", "x": "Require local"}, allowed: []string{"u/a", "w/a"}, denied: []string{"v/a", "x/a"}},
		"methods":                   {files: map[string]string{"u": "<Limit POST PUT>\nDeny from all\n</Limit>", "v": "<LimitExcept POST>\nDeny from all\n</LimitExcept>"}, allowed: []string{"u/a"}, denied: []string{"v/a"}},
		"a continued line":          {files: map[string]string{"u": "Require \\\nall \\\ndenied"}, denied: []string{"u/a"}},
		"harmless directives":       {files: map[string]string{"u": "Options -Indexes\nAddType text/plain .php\nSetHandler none\n<IfModule mod_headers.c>\nHeader set X-Robots-Tag \"noindex\"\n</IfModule>\nErrorDocument 403 /"}, allowed: []string{"u/a"}},
		"a password":                {files: map[string]string{"u": password}, denied: []string{"u/a"}, noted: "require"},
		"an expression":             {files: map[string]string{"u": "<If \"%{HTTP_COOKIE} !~ /logged/\">\nRequire all denied\n</If>"}, denied: []string{"u/a"}, noted: "if"},
		"an expression, then more":  {files: map[string]string{"u": "<If \"-f 'x'\">\nRequire all denied\n</If>\nRequire all granted"}, denied: []string{"u/a"}, noted: "if"},
		"a variable":                {files: map[string]string{"u": "SetEnvIf Referer x ok\nOrder deny,allow\nDeny from all\nAllow from env=ok"}, denied: []string{"u/a"}, noted: "allow"},
		"a pattern we cannot read":  {files: map[string]string{"u": "<FilesMatch \"^(?!index\\.php)\">\nRequire all denied\n</FilesMatch>", "v": "Require all denied\n<FilesMatch \"(?<!x)a$\">\nRequire all granted\n</FilesMatch>"}, denied: []string{"u/a", "v/a"}, noted: "filesmatch"},
		"a rule that forbids":       {files: map[string]string{"u": "RewriteEngine On\nRewriteRule .* - [F,L]"}, denied: []string{"u/a", "u/b/c"}},
		"a rule about names":        {files: map[string]string{"u": "RewriteEngine On\nRewriteCond %{REQUEST_URI} \\.csv$ [NC]\nRewriteRule ^ - [F]"}, denied: []string{"u/a.CSV"}, allowed: []string{"u/a.jpg"}},
		"rules one after another":   {files: map[string]string{"u": "RewriteEngine On\nRewriteRule \\.jpg$ - [L]\nRewriteRule ^ - [F]"}, denied: []string{"u/a.csv"}, allowed: []string{"u/a.jpg"}},
		"one condition of two":      {files: map[string]string{"u": "RewriteEngine On\nRewriteCond %{REQUEST_URI} x [OR]\nRewriteCond %{REQUEST_URI} y\nRewriteRule ^ - [F]"}, denied: []string{"u/x", "u/y"}, allowed: []string{"u/z"}},
		"rules switched off":        {files: map[string]string{"u": "RewriteEngine On\nRewriteRule ^ - [F]", "u/open": "RewriteEngine Off"}, denied: []string{"u/a"}, allowed: []string{"u/open/a"}},
		"a rule that leads away":    {files: map[string]string{"u": webp}, allowed: []string{"u/a.jpg"}, noted: "rewritecond"},
		"other people's pages":      {files: map[string]string{"u": hotlink}, allowed: []string{"u/a.jpg"}, noted: "rewritecond"},
		"members alone":             {files: map[string]string{"u": members}, denied: []string{"u/a.jpg"}, noted: "rewritecond"},
		"a redirect that forbids":   {files: map[string]string{"u": "RedirectMatch 403 \\.pdf$\nRedirect gone /wp-content/u/old"}, denied: []string{"u/a.pdf", "u/old/x", "u/old"}, allowed: []string{"u/a.jpg", "u/older"}},
		"a redirect that leads":     {files: map[string]string{"u": "Redirect 301 /wp-content/u /elsewhere"}, allowed: []string{"u/a"}, noted: "redirect"},
		"a section without end":     {files: map[string]string{"u": "<Files x>\nRequire all granted"}, denied: []string{"u/a"}, noted: "?"},
		"an end without section":    {files: map[string]string{"u": "</Files>"}, denied: []string{"u/a"}, noted: "?"},
		"a file without end":        {files: map[string]string{"u": strings.Repeat("#\n", 40<<10)}, denied: []string{"u/a"}, noted: "?"},
		"sections without end":      {files: map[string]string{"u": strings.Repeat("<Files x>\n", 60) + strings.Repeat("</Files>\n", 60)}, denied: []string{"u/a"}, noted: "?"},
		"deeper than anything lies": {denied: []string{strings.Repeat("a/", 70) + "a"}, allowed: []string{strings.Repeat("a/", 60) + "a"}},
		"outside of the root":       {denied: []string{"../a", "u/../../a", ""}},
		"a name that no disk takes": {files: map[string]string{"u": "Require all denied"}, allowed: []string{strings.Repeat("n", 300) + "/a"}, denied: []string{"u/" + strings.Repeat("n", 300)}},
	} {
		t.Run(name, func(t *testing.T) {
			noted := ""
			for denied, files := range map[bool][]string{true: c.denied, false: c.allowed} {
				for _, file := range files {
					d := check(t, c.files, file)
					if d.Denied != denied {
						t.Errorf("%.60s: denied %v, want %v", file, d.Denied, denied)
					}
					for _, n := range d.Notes {
						if noted = n.Directive; noted == "" {
							noted = "?"
						}
					}
				}
			}
			if noted != c.noted {
				t.Errorf("noted %q, want %q", noted, c.noted)
			}
		})
	}
}

func TestARequestIsJudgedByItsMethodAndItsSender(t *testing.T) {
	files := map[string]string{"u": "<Limit GET>\nDeny from all\n</Limit>", "v": "Require local", "w": "Require ip 2001:db8::/32"}
	for file, change := range map[string]func(*htaccess.Request){
		"u/a": func(r *htaccess.Request) { r.Method = "POST" },
		"v/a": func(r *htaccess.Request) { r.Client = netip.MustParseAddr("127.0.0.1") },
		"w/a": func(r *htaccess.Request) { r.Client = netip.MustParseAddr("2001:db8::7") },
	} {
		if d := check(t, files, file, change); d.Denied {
			t.Errorf("%s is denied to whom it is not", file)
		}
		if d := check(t, files, file); !d.Denied {
			t.Errorf("%s is allowed to everybody", file)
		}
	}
	if d := check(t, files, "u/a", func(r *htaccess.Request) { r.Method = "HEAD" }); !d.Denied {
		t.Error("a HEAD is another thing than a GET")
	}
	if d := check(t, files, "v/a", func(r *htaccess.Request) { r.Client = netip.Addr{} }); !d.Denied {
		t.Error("an unknown sender is taken for a local one")
	}
}

// A pipe under that name would hold whoever reads it; a directory is no file either.
func TestWhatIsNoFileDeniesAndHoldsNobody(t *testing.T) {
	root := t.TempDir()
	if err := os.Mkdir(root+"/dir", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(root+"/.htaccess", 0o644); err != nil {
		t.Fatal(err)
	}
	if d := htaccess.Check(htaccess.Request{Root: root, File: root + "/dir/a", Method: "GET"}); !d.Denied || len(d.Notes) != 1 {
		t.Errorf("a pipe: %+v", d)
	}
}

func FuzzAFileThatIsUnderstoodNeverUndoesAnother(f *testing.F) {
	for _, seed := range []string{denyBoth, denyPHP, akismet, edd, dumps, password, webp, hotlink, members, "<Files", "</", "Require not", "Redirect"} {
		f.Add(seed)
	}
	root := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(root+"/.htaccess", []byte(text+"\n<Files ~ .>\nRequire all denied\n</Files>\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		r := htaccess.Request{Root: root, File: root + "/a.jpg", URL: "/a.jpg", Method: "GET", Client: netip.MustParseAddr("203.0.113.7")}
		if d := htaccess.Check(r); !d.Denied {
			t.Errorf("%q lets a denied file out", text)
		}
	})
}
