//go:build e2e

package e2e_test

import (
	"bufio"
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

// photo writes a picture as large as a telephone's, of 12 million points.
func photo(t *testing.T, path string) {
	t.Helper()
	m := image.NewRGBA(image.Rect(0, 0, 4000, 3000))
	for y := range 3000 {
		for x := range 4000 {
			m.SetRGBA(x, y, color.RGBA{uint8(x >> 4), uint8(y >> 4), uint8((x ^ y) >> 3), 255})
		}
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := jpeg.Encode(f, m, &jpeg.Options{Quality: 85}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
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
	if peak > 128<<20 {
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
