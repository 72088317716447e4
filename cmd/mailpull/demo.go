package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"mailpull/pkg/config"
	"mailpull/pkg/daemon"
	"mailpull/pkg/demo"
	"mailpull/pkg/display"
	"mailpull/pkg/mail"
	"mailpull/pkg/secret"
)

func (a *app) demoCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Try it: pull from servers of its own, twice",
		Long: `Start an IMAP and a POP3 server on this machine, holding some hundred
generated messages, pull both into a folder, and pull again to show that
nothing comes twice. Nothing else on the network is touched.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.demonstrate(cmd.Context(), dir)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "put the archive into this `folder` and keep it (default: a temporary folder, kept as well)")
	return cmd
}

// demonstrate pulls twice and tells what came.
func (a *app) demonstrate(ctx context.Context, dir string) error {
	if dir == "" {
		var err error
		if dir, err = os.MkdirTemp("", "mailpull-demo-"); err != nil {
			return &exitError{code: exitIO, err: err}
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return &exitError{code: exitIO, err: err}
	}
	server, err := demo.Start(demo.Options{Messages: demo.Messages()})
	if err != nil {
		return &exitError{code: exitSoftware, err: err}
	}
	defer server.Close() // it holds nothing that could be lost
	cfg, err := demoConfig(dir, server)
	if err != nil {
		return &exitError{code: exitIO, err: err}
	}

	fmt.Fprintf(a.stdout, "An IMAP server at %s and a POP3 server at %s hold generated mail.\n\n", server.IMAPSAddr(), server.POP3SAddr())
	fmt.Fprintln(a.stdout, "First pass:")
	if err := a.demoPass(ctx, cfg); err != nil {
		return err
	}
	first := server.Served()
	fmt.Fprintln(a.stdout, "\nSecond pass:")
	if err := a.demoPass(ctx, cfg); err != nil {
		return err
	}
	second := server.Served()
	again := second.IMAP.Bodies + second.POP3.Bodies - first.IMAP.Bodies - first.POP3.Bodies
	fmt.Fprintf(a.stdout, "\nThe servers sent %s messages in the first pass and %s in the second: nothing came twice.\n",
		display.Grouped(first.IMAP.Bodies+first.POP3.Bodies), display.Grouped(again))
	fmt.Fprintf(a.stdout, "The archive is in %s; read it with any mail program that knows Maildir,\nfor example: mutt -f %s\n",
		cfg.Archive, filepath.Join(cfg.Archive, "imap"))
	if again != 0 {
		return &exitError{code: exitSoftware, err: fmt.Errorf("%d messages came twice: this is a bug", again)}
	}
	return nil
}

// demoPass makes one pass and writes what a person wants to see of it.
func (a *app) demoPass(ctx context.Context, cfg *config.Config) error {
	log, err := a.logger(a.stderr)
	if err != nil {
		return err
	}
	outcomes := daemon.Once(ctx, daemon.Options{Config: cfg, Log: log})
	writeOutcomes(a.stdout, outcomes)
	for _, o := range outcomes {
		for _, m := range o.Result.Mailboxes {
			if m.Mailbox == mail.Inbox {
				fmt.Fprintf(a.stdout, "%s %s: %s\n", o.Account, m.Mailbox, balance(m))
			}
		}
	}
	return a.judge(outcomes, false)
}

// demoConfig is the configuration of the demonstration: the same two accounts
// that a person would write.
func demoConfig(dir string, server *demo.Server) (*config.Config, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, server.CAFile(), 0o600); err != nil {
		return nil, err
	}
	account := func(name string, protocol config.Protocol, addr string) (config.Account, error) {
		host, port, err := splitAddr(addr)
		return config.Account{
			Name: name, Protocol: protocol, Host: host, Port: port, Security: config.TLS, CAFile: ca,
			Username: demo.Username, Password: secret.Source{Plain: secret.New(demo.Password)},
			Mailboxes: config.Selection{Include: []string{"*"}}, Connections: 1, Layout: config.MaildirPP,
		}, err
	}
	imap, err := account("imap", config.IMAP, server.IMAPSAddr())
	if err != nil {
		return nil, err
	}
	pop3, err := account("pop3", config.POP3, server.POP3SAddr())
	if err != nil {
		return nil, err
	}
	return &config.Config{
		Archive:  filepath.Join(dir, "mail"),
		State:    filepath.Join(dir, "state"),
		Accounts: []config.Account{imap, pop3},
	}, nil
}

func splitAddr(addr string) (string, int, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.Atoi(port)
	return host, n, err
}
