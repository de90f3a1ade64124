package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sort"
)

// loading is one reading of a file and an environment.
type loading struct {
	config Config
	file   string            // as it is named in reports
	origin map[string]string // where each given key was set
	broken map[string]bool   // keys whose value could not be read, so that they are not checked as well
	faults Faults
}

// Load reads the file at path, lets the environment override it, fills in the rest and checks everything.
// An empty path means CHATIERE_CONFIG, or chatiere.yaml below DefaultRoot.
// The error is Faults when the file could be read; nothing of the Config may be used then.
func Load(path string, env []string) (Config, error) {
	path = File(path, env)
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Config{}, fmt.Errorf("reading the configuration: %w (chatiere setup makes one)", err)
	}
	if err != nil {
		return Config{}, fmt.Errorf("reading the configuration: %w", err)
	}
	return Parse(path, data, env)
}

// File returns the path that Load would read.
func File(path string, env []string) string {
	if path != "" {
		return path
	}
	if named := lookup(env, "CHATIERE_CONFIG"); named != "" {
		return named
	}
	return filepath.Join(DefaultRoot, "chatiere.yaml")
}

// Parse is Load for a file that has been read already; name is what reports call it.
func Parse(name string, data []byte, env []string) (Config, error) {
	l := &loading{config: defaults(), file: name, origin: map[string]string{}, broken: map[string]bool{}}
	l.readFile(data)
	l.readEnvironment(env)
	l.readClock(env)
	l.config.derive()
	l.check()
	if len(l.faults) > 0 {
		sort.SliceStable(l.faults, func(i, j int) bool { return rank(l.faults[i].Key) < rank(l.faults[j].Key) })
		return Config{}, l.faults
	}
	return l.config, nil
}

// rank is a key's place in the list of keys; unknown ones come first, since a misspelt key explains a missing one.
func rank(path string) int {
	for i, k := range keys {
		if k.path == path {
			return i
		}
	}
	return -1
}

// check asks every key whose value could be read.
func (l *loading) check() {
	for _, k := range keys {
		if k.check == nil || l.broken[k.path] {
			continue
		}
		if problem := k.check(&l.config); problem != "" {
			l.faults = append(l.faults, k.fault(l.where(k.path), problem))
		}
	}
}

// where says where a key was set, or the file when it was not.
func (l *loading) where(path string) string {
	if o, ok := l.origin[path]; ok {
		return o
	}
	return l.file
}

// set notes that a key was given, and with which problem ("" when its value fits). A later place wins: it also mends
// what was wrong with an earlier one.
func (l *loading) set(k key, where, problem string) {
	l.origin[k.path] = where
	l.faults = slices.DeleteFunc(l.faults, func(f Fault) bool { return f.Key == k.path })
	if problem != "" {
		l.broken[k.path] = true
		l.faults = append(l.faults, k.fault(where, problem))
		return
	}
	delete(l.broken, k.path)
}
