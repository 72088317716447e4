package main

import (
	"errors"
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
		a.configPart("validate", "Check the configuration and open nothing", a.validateConfig),
		a.configPart("print", "Print the configuration in force, with defaults and without secrets", a.printConfig),
		a.configPart("path", "Print which configuration file is used", a.printPath),
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

// configPart makes a command that only reads the configuration.
func (a *app) configPart(name, short string, run func(asJSON bool) error) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   name,
		Short: short,
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return run(asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// mistakeAnswer is one mistake in the JSON answer of config validate.
type mistakeAnswer struct {
	File   string `json:"file"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Key    string `json:"key,omitempty"`
	Text   string `json:"text"`
}

func (a *app) validateConfig(asJSON bool) error {
	cfg, err := a.load()
	if !asJSON {
		if err == nil {
			fmt.Fprintf(a.stdout, "%s: good, %s\n", a.source(), countAccounts(cfg))
		}
		return err
	}
	answer := struct {
		SchemaVersion int             `json:"schema_version"`
		Source        string          `json:"source"`
		Good          bool            `json:"good"`
		Accounts      int             `json:"accounts"`
		Mistakes      []mistakeAnswer `json:"mistakes"`
	}{SchemaVersion: schemaVersion, Source: a.source(), Good: err == nil, Mistakes: []mistakeAnswer{}}
	var mistakes config.Errors
	switch {
	case err == nil:
		answer.Accounts = len(cfg.Accounts)
	case errors.As(err, &mistakes):
		for _, m := range mistakes {
			answer.Mistakes = append(answer.Mistakes, mistakeAnswer{m.File, m.Line, m.Column, m.Path, m.Text})
		}
	default: // there is no configuration to speak of
		return err
	}
	if werr := writeJSON(a.stdout, answer); werr != nil {
		return werr
	}
	if err != nil {
		return &exitError{code: exitConfig}
	}
	return nil
}

func (a *app) printConfig(asJSON bool) error {
	cfg, err := a.load()
	if err != nil {
		return err
	}
	if !asJSON {
		return cfg.Print(a.stdout)
	}
	return writeJSON(a.stdout, struct {
		SchemaVersion int            `json:"schema_version"`
		Configuration *config.Config `json:"configuration"`
	}{schemaVersion, cfg})
}

func (a *app) printPath(asJSON bool) error {
	path, err := a.find()
	if err != nil {
		return err
	}
	if path == "" {
		path = environment
	}
	if !asJSON {
		fmt.Fprintln(a.stdout, path)
		return nil
	}
	return writeJSON(a.stdout, struct {
		SchemaVersion int    `json:"schema_version"`
		Path          string `json:"path"`
	}{schemaVersion, path})
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
		"there is no configuration; looked for %s\nhint: mailpull config example > ~/.config/mailpull/config.yaml gives one to fill in; mailpull demo needs none",
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
	if a.shard == "" {
		return cfg, nil
	}
	shard, err := config.ParseShard(a.shard)
	if err != nil {
		return nil, usage("--shard %v", err)
	}
	return cfg.Part(shard), nil
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

// completeAccount offers the accounts for the first argument only.
func (a *app) completeAccount(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeAccounts(cmd, args, toComplete)
}
