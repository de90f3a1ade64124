package testbed

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// Command runs a program and returns everything it printed.
func Command(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		err = fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, text)
	}
	return text, err
}

// Docker runs Docker's command.
func Docker(ctx context.Context, args ...string) (string, error) {
	return Command(ctx, "docker", args...)
}

// Sleep waits; it returns false when ctx ended before.
func Sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// Await polls until try succeeds. When the time is over, the last error is returned.
func Await(ctx context.Context, within, every time.Duration, what string, try func() error) error {
	for deadline := time.Now().Add(within); ; {
		err := try()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s: not within %s; last: %w", what, within, err)
		}
		if !Sleep(ctx, every) {
			return fmt.Errorf("%s: %w; last: %w", what, ctx.Err(), err)
		}
	}
}

// Word returns a word that nobody has used yet, for names.
func Word() string { return strings.ToLower(rand.Text()[:12]) }

// Figure returns what a file below /proc says under a name.
func Figure(file, name string) (string, error) {
	data, err := os.ReadFile("/proc/" + file)
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value), nil
		}
	}
	return "", fmt.Errorf("/proc/%s tells no %s", file, name)
}

// KiB is Figure for an amount of memory.
func KiB(file, name string) (kib int64, err error) {
	text, err := Figure(file, name)
	if err == nil {
		_, err = fmt.Sscanf(text, "%d kB", &kib)
	}
	return kib, err
}

// Hardware describes the machine that a report is about.
func Hardware() string {
	model, err := Figure("cpuinfo", "model name")
	if err != nil {
		model = "unknown processor"
	}
	memory, _ := KiB("meminfo", "MemTotal")
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	return fmt.Sprintf("%d × %s, %.1f GiB, Linux %s, %s", runtime.NumCPU(), model, float64(memory)/(1<<20), strings.TrimSpace(string(kernel)), runtime.Version())
}
