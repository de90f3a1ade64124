package queue_test

import (
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"chatiere/reverseproxy/egress/relay/queue"
)

const site = "saaaaaaaa1"

var at = time.Date(2026, 11, 22, 8, 0, 0, 0, time.UTC)

func envelope(id string, to ...string) queue.Envelope {
	return queue.Envelope{ID: id, Site: site, Sender: "bounces@coop.test", Recipients: to, Accepted: at}
}

func open(t *testing.T, dir string, limits queue.Limits) *queue.Queue {
	t.Helper()
	if limits.Free == nil {
		limits.Free = func(string) (int64, error) { return 1 << 40, nil }
	}
	q, err := queue.Open(dir, limits, func() time.Time { return at }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func put(t *testing.T, q *queue.Queue, id, text string, to ...string) queue.Message {
	t.Helper()
	d, err := q.Create(envelope(id, to...))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(d, text); err != nil {
		t.Fatal(err)
	}
	m, err := d.Commit()
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func text(t *testing.T, q *queue.Queue, m queue.Message) string {
	t.Helper()
	r, err := q.Text(m)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(got)
}

func TestWhatWasAcceptedIsThereAfterAKill(t *testing.T) {
	dir := t.TempDir()
	q := open(t, dir, queue.Limits{})
	m := put(t, q, "message01", "Subject: x\r\n\r\nbody\r\n", "a@a.test", "b@b.test")
	m.Outcomes[0].State, m.Attempts, m.Next = queue.Sent, 3, at.Add(time.Hour)
	if err := q.Save(m); err != nil {
		t.Fatal(err)
	}
	half, err := q.Create(envelope("message02", "a@a.test"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := half.Write([]byte("never finished")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, site, ".message01.state123"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir, queue.Limits{})
	got := again.Messages()
	if len(got) != 1 || got[0].ID != "message01" || got[0].Attempts != 3 || !got[0].Next.Equal(at.Add(time.Hour)) ||
		got[0].Outcomes[0].State != queue.Sent || got[0].Outcomes[1].State != queue.Waiting || got[0].Size != m.Size {
		t.Fatalf("%+v", got)
	}
	if body := text(t, again, got[0]); body != "Subject: x\r\n\r\nbody\r\n" {
		t.Errorf("%q", body)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, site, ".*")); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	if err := again.Remove(got[0]); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(filepath.Join(dir, site)); len(left) != 0 || len(again.Messages()) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestAKillBetweenAMailsFilesIsMended(t *testing.T) {
	dir := t.TempDir()
	q := open(t, dir, queue.Limits{})
	m := put(t, q, "message01", "x", "a@a.test")
	if err := q.Save(m); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, site, "message01.mail")); err != nil {
		t.Fatal(err)
	}
	if got := open(t, dir, queue.Limits{}).Messages(); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	if _, err := os.Stat(filepath.Join(dir, site, "message01.state")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a state without a mail is still there: %v", err)
	}
}

func TestDamagedFilesAreSetAsideAndHarmNoOther(t *testing.T) {
	dir := t.TempDir()
	q := open(t, dir, queue.Limits{})
	put(t, q, "message01", "good", "a@a.test")
	put(t, q, "message02", "bad state", "a@a.test")
	for name, content := range map[string]string{
		"message03.mail": "{", "message04.mail": `{"id":"message01","site":"` + site + `","sender":"","recipients":["a@a.test"],"accepted":"2026-11-22T08:00:00Z"}` + "\n",
		"message05.mail": "", "message02.state": `{"outcomes":[]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, site, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := open(t, dir, queue.Limits{}).Messages()
	if len(got) != 2 || got[1].ID != "message02" || got[1].Outcomes[0].State != queue.Waiting {
		t.Errorf("%+v", got)
	}
	if aside, _ := filepath.Glob(filepath.Join(dir, site, "*.bad")); len(aside) != 3 {
		t.Errorf("set aside: %v", aside)
	}
}

func TestLimitsHoldForDraftsToo(t *testing.T) {
	other := envelope("message09", "a@a.test")
	other.Site = "sbbbbbbbb2"
	q := open(t, t.TempDir(), queue.Limits{SiteMails: 2, TotalMails: 3, SiteBytes: 2000, TotalBytes: 3000})
	first, err := q.Create(envelope("message01", "a@a.test"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := q.Create(envelope("message02", "a@a.test"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := q.Create(envelope("message03", "a@a.test")); !errors.Is(err, queue.ErrSiteFull) {
		t.Errorf("a third draft: %v", err)
	}
	if _, err := first.Write(make([]byte, 1900)); !errors.Is(err, queue.ErrSiteFull) {
		t.Errorf("too many bytes: %v", err)
	}
	third, err := q.Create(other)
	if err != nil {
		t.Fatalf("another site: %v", err)
	}
	if _, err := third.Write(make([]byte, 1500)); err != nil {
		t.Errorf("another site: %v", err)
	}
	other.ID, other.Site = "message10", "scccccccc3"
	if _, err := q.Create(other); !errors.Is(err, queue.ErrFull) {
		t.Errorf("a fourth draft: %v", err)
	}
	for _, d := range []*queue.Draft{first, second, third} {
		if err := errors.Join(d.Abort(), d.Abort()); err != nil {
			t.Error(err)
		}
	}
	if err := q.CheckRoom(site); err != nil {
		t.Errorf("after all were aborted: %v", err)
	}
	put(t, q, "message01", "x", "a@a.test")
	put(t, q, "message02", "x", "a@a.test")
	if err := q.CheckRoom(site); !errors.Is(err, queue.ErrSiteFull) {
		t.Errorf("with two mails: %v", err)
	}
}

func TestMailLeavesTheDiskItsReserve(t *testing.T) {
	room := int64(3 << 20)
	q := open(t, t.TempDir(), queue.Limits{Reserve: 1 << 20, Free: func(string) (int64, error) { return room, nil }})
	d, err := q.Create(envelope("message01", "a@a.test"))
	if err != nil {
		t.Fatal(err)
	}
	room = 1
	if _, err := d.Write(make([]byte, 2<<20)); !errors.Is(err, queue.ErrDiskFull) {
		t.Errorf("%v", err)
	}
	if err := q.CheckRoom(site); !errors.Is(err, queue.ErrDiskFull) {
		t.Errorf("%v", err)
	}
}

func TestEnvelopesCarryNothingThatCouldBeACommand(t *testing.T) {
	q := open(t, t.TempDir(), queue.Limits{})
	for _, e := range []queue.Envelope{
		envelope("message01"), envelope("message01", "a@a.test\r\nRSET"), envelope("message01", ""), envelope("../x", "a@a.test"),
		{ID: "message01", Site: "../x", Recipients: []string{"a@a.test"}, Accepted: at}, envelope("message01", strings.Repeat("a", 400)),
	} {
		if _, err := q.Create(e); !errors.Is(err, queue.ErrDamaged) {
			t.Errorf("%+v: %v", e, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"id":"message01","site":"saaaaaaaa1","sender":"a@b.test","recipients":["c@d.test"],"accepted":"2026-11-22T08:00:00Z"}`), []byte(`{"outcomes":[{"state":"sent"}]}`))
	f.Add([]byte(`{}`), []byte(`[]`))
	f.Fuzz(func(t *testing.T, line, state []byte) {
		e, err := queue.ParseEnvelope(line)
		if err != nil && !errors.Is(err, queue.ErrDamaged) {
			t.Fatal(err)
		}
		for _, r := range append(e.Recipients, e.Sender) {
			if strings.ContainsFunc(r, func(c rune) bool { return c <= ' ' }) {
				t.Fatalf("accepted %q", r)
			}
		}
		p, err := queue.ParseProgress(state, len(e.Recipients))
		if err == nil && len(p.Outcomes) != len(e.Recipients) {
			t.Fatalf("accepted %+v", p)
		}
	})
}
