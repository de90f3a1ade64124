package main

import (
	"context"
	"io"

	"chatiere/cmd/siteinit/internal/sendmail"
)

// sendMail is the command that programs of a site know for sending mail.
func sendMail(ctx context.Context, args []string, env func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	return sendmail.Run(ctx, sendmail.Options{
		Args: args, Socket: env("SMTP_SOCKET"), Port: "127.0.0.1:25", Host: env("SITE_HOST"), Stdin: stdin, Stdout: stdout, Stderr: stderr,
	})
}
