package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"mailpull/configs"
	"mailpull/pkg/config"
)

func (a *app) configCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "config",
		Short: "Check, show or explain the configuration",
	}
	cmd.AddCommand(
		&cobra.Command{
			Use:   "validate",
			Short: "Check the configuration and open nothing",
			Args:  cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				cfg, err := a.load()
				if err != nil {
					return err
				}
				fmt.Fprintf(a.stdout, "%s: good, %s\n", a.source(), countAccounts(cfg))
				return nil
			},
		},
		&cobra.Command{
			Use:   "print",
			Short: "Print the configuration in force, with defaults and without secrets",
			Args:  cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				cfg, err := a.load()
				if err != nil {
					return err
				}
				return cfg.Print(a.stdout)
			},
		},
		&cobra.Command{
			Use:   "path",
			Short: "Print which configuration file is used",
			Args:  cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				path, err := a.find()
				if err != nil {
					return err
				}
				if path == "" {
					path = environment
				}
				fmt.Fprintln(a.stdout, path)
				return nil
			},
		},
		&cobra.Command{
			Use:   "example",
			Short: "Print a commented example with every key",
			Args:  cobra.NoArgs,
			RunE: func(*cobra.Command, []string) error {
				_, err := a.stdout.Write(configs.Example)
				return err
			},
		},
	)
	return cmd
}

// environment stands for the path when MAILPULL_* variables are the
// configuration.
const environment = "environment"

// find returns the path of the configuration file, or the empty string when
// MAILPULL_* variables hold an account and there is no file.
func (a *app) find() (string, error) {
	path, tried, err := config.Find(a.configFlag, os.Getenv)
	if err != nil {
		return "", &exitError{code: exitConfig, err: err}
	}
	if path != "" {
		return path, nil
	}
	if _, ok, _ := config.FromEnv(os.Environ()); ok {
		return "", nil
	}
	return "", &exitError{code: exitConfig, err: fmt.Errorf(
		"there is no configuration; looked for %s\nhint: mailpull config example > config.yaml shows how to write one; mailpull demo needs none",
		strings.Join(tried, ", "))}
}

// load reads the configuration.
func (a *app) load() (*config.Config, error) {
	path, err := a.find()
	if err != nil {
		return nil, err
	}
	var cfg *config.Config
	if path == "" {
		cfg, _, err = config.FromEnv(os.Environ())
	} else {
		cfg, err = config.Load(path)
	}
	if err != nil {
		return nil, &exitError{code: exitConfig, err: err}
	}
	return cfg, nil
}

// source names where the configuration came from.
func (a *app) source() string {
	path, err := a.find()
	if err != nil || path == "" {
		return environment
	}
	return path
}

func countAccounts(cfg *config.Config) string {
	if len(cfg.Accounts) == 1 {
		return "1 account"
	}
	return fmt.Sprintf("%d accounts", len(cfg.Accounts))
}

func accountNames(cfg *config.Config) string {
	var names []string
	for _, a := range cfg.Accounts {
		names = append(names, a.Name)
	}
	return strings.Join(names, ", ")
}

// completeAccounts offers the accounts that are not named yet.
func (a *app) completeAccounts(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	cfg, err := a.load()
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, account := range cfg.Accounts {
		if !strings.Contains(" "+strings.Join(args, " ")+" ", " "+account.Name+" ") {
			names = append(names, account.Name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
