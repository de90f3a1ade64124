// Package deps keeps modules in go.mod while the rooms are being built.
package deps

import (
	_ "github.com/chromedp/chromedp"
	_ "github.com/containerd/errdefs"
	_ "github.com/coreos/go-oidc/v3/oidc"
	_ "github.com/docker/docker/client"
	_ "github.com/docker/go-connections/nat"
	_ "github.com/emersion/go-smtp"
	_ "github.com/fsnotify/fsnotify"
	_ "github.com/go-sql-driver/mysql"
	_ "github.com/goccy/go-yaml"
	_ "github.com/gofiber/fiber/v2"
	_ "github.com/miekg/dns"
	_ "github.com/pquerna/otp/totp"
	_ "github.com/pressly/goose/v3"
	_ "github.com/robfig/cron/v3"
	_ "github.com/spf13/cobra"
	_ "golang.org/x/crypto/hkdf"
	_ "golang.org/x/net/http2"
	_ "golang.org/x/oauth2/clientcredentials"
	_ "golang.org/x/sync/errgroup"
	_ "golang.org/x/sys/unix"
	_ "golang.org/x/text/language"
	_ "gorm.io/driver/mysql"
	_ "gorm.io/gorm"
)
