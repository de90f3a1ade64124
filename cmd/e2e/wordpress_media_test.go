//go:build e2e

package e2e_test

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"chatiere/panel/api"
)

const videoBytes = 300 << 20

// video writes a film that nobody wants to see, in the form of an MP4: the size is what matters. It returns its SHA-256.
func video(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	out := bufio.NewWriterSize(io.MultiWriter(f, sum), 1<<20)
	box := func(kind string, size uint32) {
		_ = binary.Write(out, binary.BigEndian, size)
		_, _ = out.WriteString(kind)
	}
	box("ftyp", 20)
	_, _ = out.WriteString("isom\x00\x00\x02\x00mp42") // what does not arrive shows at Flush
	box("mdat", videoBytes-20)
	noise := rand.NewChaCha8([32]byte{1})
	if _, err := io.CopyN(out, noise, videoBytes-28); err != nil {
		t.Fatal(err)
	}
	if err := out.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return hexOf(sum)
}

func hexOf(h hash.Hash) string { return fmt.Sprintf("%x", h.Sum(nil)) }

// photo writes a picture as large as a telephone's, of 12 million points, to be shown upright.
func photo(t *testing.T, path string) {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 4000, 3000))
	for y := range 3000 {
		for x := range 4000 {
			m.SetRGBA(x, y, color.RGBA{uint8(x >> 4), uint8(y >> 4), uint8((x ^ y) >> 3), 255})
		}
	}
	var picture bytes.Buffer
	if err := jpeg.Encode(&picture, m, &jpeg.Options{Quality: 85}); err != nil {
		t.Fatal(err)
	}
	start, rest := picture.Bytes()[:2], picture.Bytes()[2:]
	if err := os.WriteFile(path, slices.Concat(start, []byte(upright), rest), 0o600); err != nil {
		t.Fatal(err)
	}
}

// upright says in a JPEG that the telephone was held upright: who shows the picture has to turn it.
const upright = "\xff\xe1\x00\x22Exif\x00\x00MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"

// The block editor uploads all pictures of a gallery at once.
func TestSixPhotosOfATelephoneAtOnceAllArrive(t *testing.T) {
	i := open(t)
	s := i.newSite(t)
	t.Cleanup(func() { i.gone(t, s.ID) })
	path := filepath.Join(t.TempDir(), "fete.jpg")
	photo(t, path)
	picture, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	login := i.wp(t, s.ID, `echo get_users(["role" => "administrator"])[0]->user_login;`)
	password := strings.TrimSpace(run(t, "docker", "exec", i.container(s.ID), "php", "/opt/chatiere/hooks/application-password.php", login, "photos"))
	client := i.browser(t)
	client.Timeout = longer
	var all sync.WaitGroup
	for n := range 6 {
		all.Go(func() {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at(s.URL)+"/wp-json/wp/v2/media", bytes.NewReader(picture))
			if err != nil {
				t.Error(err)
				return
			}
			req.SetBasicAuth(login, password)
			req.Header.Set("Content-Type", "image/jpeg")
			req.Header.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="fete-%d.jpg"`, n))
			res, err := client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = res.Body.Close() }()
			if said, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusCreated {
				t.Errorf("photo %d: %d %.200q (%v)", n, res.StatusCode, said, err)
			}
		})
	}
	if slowest := i.slowest(t, s, &all); slowest > 5*time.Second {
		t.Errorf("meanwhile a visitor waited %s", slowest)
	}
	got := i.wp(t, s.ID, `foreach (get_posts(["post_type" => "attachment", "numberposts" => -1]) as $p) { $m = wp_get_attachment_metadata($p->ID); echo $m["width"], "x", $m["height"], " ", count($m["sizes"]), "\n"; }`)
	if want := strings.TrimSpace(strings.Repeat("1920x2560 6\n", 6)); got != want {
		t.Errorf("in the library:\n%s", got)
	}
	if died := i.tasks(t, s.ID); died.Deaths+died.OutOfMemory > 0 {
		t.Errorf("of the site's processes %+v were killed", died)
	}
}

// Whatever ends a page's PHP without an answer, people read of it.
func TestADeathOfPHPIsTold(t *testing.T) {
	i := open(t)
	s := i.newSite(t)
	t.Cleanup(func() { i.gone(t, s.ID) })
	i.plugin(t, s, "mort", `<?php
/** Plugin Name: Mort */
add_action('init', static fn () => isset($_GET['mort']) && posix_kill(getmypid(), 9));
`, nil)
	if status, _ := i.page(t, at(s.URL)+"/?mort"); status != http.StatusBadGateway {
		t.Errorf("a page whose PHP is killed: %d", status)
	}
	if said := i.tasks(t, s.ID); said.Deaths != 1 {
		t.Errorf("told: %+v", said)
	}
}

// What people upload: a film of 300 MiB arrives whole and costs the site no memory, a photo is made into all sizes.
func TestInTheBrowserAManagerUploadsAFilmAndAPhoto(t *testing.T) {
	i := open(t)
	s := i.newSite(t)
	t.Cleanup(func() { i.gone(t, s.ID) })
	dir := t.TempDir()
	film, picture := filepath.Join(dir, "assemblee-generale.mp4"), filepath.Join(dir, "fete-du-village.jpg")
	want := video(t, film)
	photo(t, picture)
	b := i.browse(t)
	b.do("a desk", look(1280, "light"))
	b.signIn(i.summary.Manager)
	b.entersSite(s)

	most := i.mostMemory(t, s)
	began := time.Now()
	b.uploads(s, film)
	peak := most()
	t.Logf("300 MiB uploaded in %s; the site's processes took %d MiB at most", time.Since(began).Round(100*time.Millisecond), peak>>20)
	if peak > 150<<20 { // half of the film: what holds it in memory takes it whole
		t.Errorf("the site's processes took %d MiB while a film was uploaded", peak>>20)
	}
	if got := i.digestOf(t, i.attached(t, s, "video/mp4")); got != want {
		t.Errorf("the film came out as %s, went in as %s", got, want)
	}
	b.uploads(s, picture)
	b.admin(s, "upload.php?mode=list")
	b.capture("wordpress-media")
	i.hasAllSizes(t, s)
}

// uploads goes by the form that works without a script; WordPress shows its library when the file has arrived.
func (b *tab) uploads(s api.Site, path string) {
	b.Helper()
	b.admin(s, "media-new.php?browser-uploader")
	b.within("choosing the file", chromedp.SetUploadFiles(chromedp.CSS(`#async-upload`), []string{path}))
	b.within("uploading "+filepath.Base(path), click(`#html-upload`), chromedp.WaitReady(chromedp.CSS(`body.upload-php`)))
}

// attached is the address of the only upload of a type.
func (i *instance) attached(t *testing.T, s api.Site, kind string) string {
	t.Helper()
	return i.wp(t, s.ID, `$found = get_posts(["post_type" => "attachment", "post_mime_type" => "`+kind+`", "numberposts" => 2]); echo count($found) === 1 ? wp_get_attachment_url($found[0]->ID) : count($found);`)
}

// digestOf fetches a file as a visitor does, without keeping it.
func (i *instance) digestOf(t *testing.T, address string) string {
	t.Helper()
	res, err := i.web.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	sum := sha256.New()
	if n, err := io.Copy(sum, res.Body); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d after %d bytes (%v)", address, res.StatusCode, n, err)
	}
	return hexOf(sum)
}

// hasAllSizes wants each of WordPress's sizes to be there and to be the picture it says.
func (i *instance) hasAllSizes(t *testing.T, s api.Site) {
	t.Helper()
	out := i.wp(t, s.ID, `
		$id = get_posts(["post_type" => "attachment", "post_mime_type" => "image/jpeg"])[0]->ID;
		foreach (["thumbnail", "medium", "medium_large", "large", "1536x1536", "2048x2048", "full"] as $size) {
			[$url, $width, $height] = wp_get_attachment_image_src($id, $size);
			echo "$size $width $height $url\n";
		}`)
	lines := strings.Split(out, "\n")
	if len(lines) != 7 {
		t.Fatalf("sizes: %s", out)
	}
	for _, line := range lines {
		var name, address string
		var width, height int
		if _, err := fmt.Sscan(line, &name, &width, &height, &address); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		res, err := i.web.Get(address)
		if err != nil {
			t.Fatal(err)
		}
		picture, err := jpeg.DecodeConfig(res.Body)
		_ = res.Body.Close()
		if err != nil || picture.Width != width || picture.Height != height || width > 2560 {
			t.Errorf("%s: %d×%d is promised, %d×%d is served (%d, %v)", name, width, height, picture.Width, picture.Height, res.StatusCode, err)
		}
	}
}

// mostMemory watches a site until it is asked for the most memory its processes took, in bytes.
func (i *instance) mostMemory(t *testing.T, s api.Site) func() int64 {
	t.Helper()
	pids := i.processes(t, s)
	if len(pids) == 0 {
		t.Fatal("the site has no processes")
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	var most int64
	go func() {
		defer close(stopped)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			most = max(most, i.proportional(t, s))
			select {
			case <-stop:
				return
			case <-tick.C:
			}
		}
	}()
	end := sync.OnceFunc(func() { close(stop); <-stopped })
	t.Cleanup(end)
	return func() int64 { end(); return most }
}

// processes are those of a site's container, as the machine numbers them.
func (i *instance) processes(t *testing.T, s api.Site) []string {
	out, err := tryRun("docker", "top", i.container(s.ID), "-eo", "pid")
	if err != nil {
		t.Errorf("processes of %s: %v", s.ID, err)
		return nil
	}
	return strings.Fields(out)[1:]
}

// proportional is the memory of a site's processes in bytes, each shared page counted in parts (PSS).
func (i *instance) proportional(t *testing.T, s api.Site) int64 {
	var total int64
	for _, pid := range i.processes(t, s) {
		text, err := os.ReadFile("/proc/" + pid + "/smaps_rollup")
		if err != nil {
			continue // it has ended
		}
		for line := range strings.Lines(string(text)) {
			var kib int64
			if _, err := fmt.Sscanf(line, "Pss: %d kB", &kib); err == nil {
				total += kib << 10
			}
		}
	}
	return total
}
