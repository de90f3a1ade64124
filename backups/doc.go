// Package backups saves the data of a site in a repository and brings it back exactly.
//
// A snapshot is a tree in the repository that the repository's own tools can restore:
//
//	files/            the site's directory
//	database.sql      a logical dump of its database, if it has one
//	manifest.jsonl    one line for each file, see [Entry]: what the repository's own format does not keep, and a SHA-256
//	snapshot.json     see [Snapshot]
//
// [Save] walks the directory once and reads each changed file once: the bytes that are stored are the bytes that are
// hashed. [Restore] writes the tree of a manifest and compares every byte with its hash. Neither knows how a [Repository]
// stores objects; the package kopia does.
package backups
