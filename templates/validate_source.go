package templates

import (
	"fmt"
	"net/url"
	"regexp"
)

// imageSource is the kind of a ready image.
const imageSource = "image"

var (
	suite     = regexp.MustCompile(`^[a-z]{3,20}$`)
	pkg       = regexp.MustCompile(`^[a-z0-9][a-z0-9.+-]{1,80}$`)
	sha256hex = regexp.MustCompile(`^[0-9a-f]{64}$`)
	reference = regexp.MustCompile(`^[a-z0-9][a-z0-9./_:-]{0,200}@sha256:[0-9a-f]{64}$`)
	fileName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,80}$`)
)

func (c checker) versions(m Manifest) {
	if len(m.Versions) == 0 {
		c.fault("versions", "none", "at least one version")
	}
	seen := map[string]bool{}
	for i, v := range m.Versions {
		path := fmt.Sprintf("versions[%d]", i)
		c.text(path+".name", v.Name, version, "a version such as 6.8")
		if seen[v.Name] {
			c.fault(path+".name", "“"+v.Name+"” twice", "each version once")
		}
		seen[v.Name] = true
		c.source(path+".source", v.Source)
	}
	if !seen[m.Default] {
		c.fault("default", short(m.Default), "the name of one of the versions")
	}
}

func (c checker) source(path string, s Source) {
	c.oneOf(path+".kind", s.Kind, "debian", "upstream", imageSource)
	switch s.Kind {
	case "debian":
		c.text(path+".suite", s.Suite, suite, "a suite such as trixie")
		c.text(path+".package", s.Package, pkg, "the name of a Debian package")
		c.only(path, s, Source{Kind: s.Kind, Suite: s.Suite, Package: s.Package})
	case "upstream":
		c.address(path+".url", s.URL)
		c.text(path+".sha256", s.SHA256, sha256hex, "64 hexadecimal digits")
		if s.Signature != "" {
			c.address(path+".signature", s.Signature)
		}
		c.only(path, s, Source{Kind: s.Kind, URL: s.URL, SHA256: s.SHA256, Signature: s.Signature})
	case imageSource:
		c.text(path+".reference", s.Reference, reference, "an image by digest, such as registry.example/app@sha256:…")
		c.only(path, s, Source{Kind: s.Kind, Reference: s.Reference})
	}
}

// only tells of a field that says nothing for this kind of source.
func (c checker) only(path string, got, meant Source) {
	if got != meant {
		c.fault(path, "fields of another kind of source", "only those of kind "+got.Kind)
	}
}

func (c checker) address(path, value string) {
	parsed, err := url.Parse(value)
	if err != nil || parsed.Scheme != "https" || parsed.Host == "" || parsed.User != nil {
		c.fault(path, short(value), "an https address")
	}
}
