package wire

import (
	"context"
	"errors"
	"path/filepath"
	"strconv"
	"time"

	"chatiere/reverseproxy/egress/relay"
	"chatiere/reverseproxy/spoolfile"
	"chatiere/tenants"
)

// historyRetention is how long ended operations are stored.
const historyRetention = 90 * 24 * time.Hour

func (w *Worker) prune(ctx context.Context) error {
	return w.store.PruneHistory(ctx, w.now().Add(-historyRetention))
}

// reportBadFiles reports spool files that could not be read and were set aside, and removes old ones. The egress log reports
// its own.
func (w *Worker) reportBadFiles(ctx context.Context) error {
	p := w.config.Paths()
	var seen []tenants.Finding
	var faults []error
	for code, dirs := range map[tenants.FindingCode][]string{
		tenants.FindingSpoolTraffic: {p.ProxySpool()},
		tenants.FindingSpoolMail:    {relay.ReportDir(p.MailQueue()), filepath.Join(relay.QueueDir(p.MailQueue()), "*")},
	} {
		for _, dir := range dirs {
			bad, err := spoolfile.SetAside(dir, w.now())
			faults = append(faults, err)
			if len(bad) > 0 {
				seen = append(seen, tenants.Finding{
					Area: tenants.AreaSpool, Subject: filepath.Base(filepath.Dir(bad[0])), Code: code, Level: tenants.LevelAttention,
					Args: map[string]string{"count": strconv.Itoa(len(bad)), "dir": dir},
				})
			}
		}
	}
	return errors.Join(append(faults, w.findings.Replace(ctx, tenants.FindingScope{Area: tenants.AreaSpool}, seen))...)
}
