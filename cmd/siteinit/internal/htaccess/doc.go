// Package htaccess decides whether a file may be served, by the .htaccess files that lie beside and above it: what they
// mean to Apache 2.4, in the spelling of 2.2 as well. It follows directives that restrict access (Require, Order, Allow,
// Deny, and rewrite and redirect rules that forbid), in the sections <Files>, <FilesMatch>, <IfModule>, <IfVersion>,
// <Limit> and <Require…>. Everything else is ignored, except what would restrict access and is not understood: that
// refuses, and is noted. Files are read for each request, so that a change counts at once and nothing is watched.
//
// It knows neither nginx nor sites. Start reading at [Check].
package htaccess
