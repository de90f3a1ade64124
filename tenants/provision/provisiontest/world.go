package provisiontest

import (
	"slices"
	"sync"
	"time"

	"chatiere/tenants"
	"chatiere/tenants/provision"
)

// World is the outside that plans act on: containers, databases, directories, groups, routes, egress lists.
type World struct {
	Records *Records

	mu           sync.Mutex
	containers   map[string]*tenants.Container
	installed    map[string]bool // by container
	things       map[string]mark // "database:…", "user:…", "files:…", "sockets:…", "group:…", "egress:…"
	made         map[string]int  // by site: how often its sockets were made
	bound        map[string]int  // by container: which of them its last start bound
	routes       map[string]string
	places       map[string]bool                 // by site and directory
	clock        int64                           // counts what the engine does
	changed      map[*tenants.Container][]string // by hand
	contents     map[string]string               // of data directories and databases
	snapshots    []saved                         // in the repositories, oldest first
	damaged      map[string]bool                 // by snapshot
	lastSnapshot int
	// BrokenImages never answer, GoneImages are not on the server.
	BrokenImages, GoneImages map[string]bool
	// DeafTo are images of releases that the proxy never serves.
	DeafTo map[string]bool
	// FailHook makes a hook answer with exit code 1.
	FailHook map[string]bool
	// Refuse makes the groups refuse our credentials.
	Refuse bool
	// HalfStarted makes a container that is there unable to start until it is made anew.
	HalfStarted map[string]bool
	// Newest is the image that the template gives.
	Newest *Newest
	// Clashed: two servers ran on the data of one site.
	Clashed bool
	missing int // MiB that the disk lacks, see SetMissing
	// DatabasesDown makes the list of databases fail.
	DatabasesDown bool
}

// mark is what a thing says of who made it; things that take no mark have none.
type mark struct{ instance, operation string }

// NewWorld returns an empty world over the records.
func NewWorld(r *Records) *World {
	return &World{
		Newest:  &Newest{id: FirstImage, built: true},
		Records: r, containers: map[string]*tenants.Container{}, installed: map[string]bool{},
		contents: map[string]string{}, damaged: map[string]bool{}, things: map[string]mark{}, made: map[string]int{}, bound: map[string]int{}, routes: map[string]string{}, places: map[string]bool{},
		HalfStarted: map[string]bool{}, FailHook: map[string]bool{}, changed: map[*tenants.Container][]string{}, BrokenImages: map[string]bool{}, GoneImages: map[string]bool{}, DeafTo: map[string]bool{},
	}
}

// SetMissing fills the disk until so many MiB are missing: hooks then fail as applications do, without saying why. 0 makes
// room again.
func (w *World) SetMissing(mib int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.missing = mib
	w.FailHook["install"] = mib > 0
}

// Inventory lists all there is, sorted, for comparing before and after.
func (w *World) Inventory() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []string
	for name, c := range w.containers {
		out = append(out, "container:"+name+":"+c.State)
	}
	for t := range w.things {
		out = append(out, t)
	}
	for h, s := range w.routes {
		out = append(out, "route:"+h+":"+s)
	}
	slices.Sort(out)
	return out
}

// Plans returns plans whose every port leads into this world.
func (w *World) Plans(now func() time.Time) *provision.Plans {
	return &provision.Plans{
		Instance: "test", Language: "fr", Records: w.Records, Databases: databases{w}, Disk: disk{w}, Groups: groups{w},
		Routes: routes{w}, Egress: egress{w}, Engine: engine{w: w}, Backups: backups{w}, Templates: Templates{w.Newest}, Private: prober{w}, Public: prober{w}, Now: now,
	}
}

func (w *World) put(thing string) { w.Put(thing, "", "") }

func (w *World) has(thing string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, there := w.things[thing]
	return there
}
