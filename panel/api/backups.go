package api

import "time"

// Snapshot is a saved state of a site's data.
type Snapshot struct {
	ID            string    `json:"id"`
	Reason        string    `json:"reason"` // daily, asked, before-restore
	TakenAt       time.Time `json:"taken_at"`
	EndedAt       time.Time `json:"ended_at"`
	Template      string    `json:"template"`
	Version       string    `json:"version"`
	Files         int64     `json:"files"`
	Bytes         int64     `json:"bytes"`
	DatabaseBytes int64     `json:"database_bytes"`
	Missing       []string  `json:"missing,omitempty"` // files that could not be saved, at most some hundreds
	MissingCount  int64     `json:"missing_count"`
	Pinned        bool      `json:"pinned"`
}
