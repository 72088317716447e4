package config

import (
	"cmp"
	"os"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// prefix begins the name of every variable of ours.
const prefix = "MAILPULL_"

// Environment is the name that stands in the place of the file's in the
// mistakes of FromEnv.
const Environment = "environment"

// kubernetesSyntax is for the variables that Kubernetes makes in every pod of
// a namespace with a service called mailpull.
var kubernetesSyntax = regexp.MustCompile(`^MAILPULL_(SERVICE_(HOST|PORT)(_|$)|PORT_[0-9]+_)`)

// setting is one variable: the key that it sets, and whether it is a list.
type setting struct {
	name string
	path string // empty for the protocol, which is part of other paths
	list bool
}

// settings lists the variables for an account of the given protocol.
func settings(protocol Protocol) []setting {
	account := "accounts[0]"
	server := account + "." + string(protocol)
	return []setting{
		{name: "MAILPULL_ARCHIVE", path: "archive"},
		{name: "MAILPULL_STATE", path: "state"},
		{name: "MAILPULL_ACCOUNT", path: account + ".name"},
		{name: "MAILPULL_PROTOCOL"},
		{name: "MAILPULL_HOST", path: server + ".host"},
		{name: "MAILPULL_PORT", path: server + ".port"},
		{name: "MAILPULL_SECURITY", path: server + ".security"},
		{name: "MAILPULL_ALLOW_PLAINTEXT", path: server + ".allow_plaintext"},
		{name: "MAILPULL_CA_FILE", path: server + ".tls.ca_file"},
		{name: "MAILPULL_USERNAME", path: server + ".username"},
		{name: "MAILPULL_PASSWORD", path: server + ".password.env"},
		{name: "MAILPULL_PASSWORD_FILE", path: server + ".password.file"},
		{name: "MAILPULL_INCLUDE", path: server + ".mailboxes.include", list: true},
		{name: "MAILPULL_EXCLUDE", path: server + ".mailboxes.exclude", list: true},
		{name: "MAILPULL_CONNECTIONS", path: server + ".connections"},
		{name: "MAILPULL_COMPRESS", path: server + ".compress"},
		{name: "MAILPULL_EVERY", path: account + ".every"},
		{name: "MAILPULL_CRON", path: account + ".cron"},
		{name: "MAILPULL_TIMEZONE", path: account + ".timezone"},
		{name: "MAILPULL_WINDOW", path: account + ".window"},
		{name: "MAILPULL_IDLE", path: account + ".idle"},
		{name: "MAILPULL_PING_URL", path: account + ".hooks.ping_url.env"},
		{name: "MAILPULL_PING_URL_FILE", path: account + ".hooks.ping_url.file"},
		{name: "MAILPULL_LISTEN", path: "daemon.listen"},
		{name: "MAILPULL_LAYOUT", path: account + ".layout"},
		{name: "MAILPULL_ORDER", path: account + ".order"},
		{name: "MAILPULL_SINCE", path: account + ".since"},
		{name: "MAILPULL_RATE_LIMIT", path: account + ".rate_limit"},
		{name: "MAILPULL_MAX_MESSAGE_SIZE", path: account + ".max_message_size"},
		{name: "MAILPULL_MAX_SESSION", path: account + ".max_session"},
		{name: "MAILPULL_IDLE_TIMEOUT", path: account + ".idle_timeout"},
	}
}

// FromEnv makes a configuration with one account out of the MAILPULL_*
// variables in environ, which has the form of os.Environ. It reports false
// when there is none of them. MAILPULL_CONFIG and MAILPULL_LOG_* do not
// count, and an empty variable is as good as none.
//
// Mistakes come as Errors that name the variable. The password itself is not
// read: MAILPULL_PASSWORD becomes a source that reads it.
func FromEnv(environ []string) (*Config, bool, error) {
	vars, all := ourVariables(environ)
	if len(vars) == 0 {
		return nil, false, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return nil, true, err
	}
	protocol := Protocol(first(vars["MAILPULL_PROTOCOL"], string(IMAP)))
	d := new(document)
	w := newWalk(&surroundings{
		file: Environment, dir: dir, root: os.Geteuid() == 0,
		env: func(name string) (string, bool) { v, ok := all[name]; return v, ok },
	})
	if protocol != IMAP && protocol != POP3 {
		w.mistake("MAILPULL_PROTOCOL", nil, "%s is not a protocol; write imap or pop3", quote(string(protocol)))
		protocol = IMAP
	}
	table := settings(protocol)
	w.checkVariables(vars, table)
	w.document(d, tree(vars, table, protocol))
	w.nameVariables(table)
	c, err := w.finish(d)
	return c, true, err
}

// ourVariables returns the MAILPULL_* variables that are not empty, and all
// variables.
func ourVariables(environ []string) (ours, all map[string]string) {
	ours, all = make(map[string]string), make(map[string]string)
	for _, entry := range environ {
		name, value, ok := strings.Cut(entry, "=")
		if !ok {
			continue
		}
		all[name] = value
		if strings.HasPrefix(name, prefix) && value != "" &&
			name != "MAILPULL_CONFIG" && !strings.HasPrefix(name, "MAILPULL_LOG_") {
			ours[name] = value
		}
	}
	return ours, all
}

// checkVariables reports variables that nobody knows and those that exclude
// each other. It never shows a value.
func (w *walk) checkVariables(vars map[string]string, table []setting) {
	const kubernetes = "; Kubernetes makes it for a service called mailpull:" +
		" set enableServiceLinks: false in the pod, or rename the service"
	var known, unknown []string
	for _, s := range table {
		known = append(known, s.name)
	}
	for name := range vars {
		if !slices.Contains(known, name) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		advice := didYouMean(name, known)
		if kubernetesSyntax.MatchString(name) {
			advice = kubernetes
		}
		w.mistake(printable(name), nil, "unknown variable%s", advice)
	}
	if strings.HasPrefix(vars["MAILPULL_PORT"], "tcp://") {
		w.mistake("MAILPULL_PORT", nil, "is an address%s", kubernetes)
		delete(vars, "MAILPULL_PORT")
	}
	for _, name := range []string{"MAILPULL_PASSWORD", "MAILPULL_PING_URL"} {
		if vars[name] != "" && vars[name+"_FILE"] != "" {
			w.mistake(name+"_FILE", nil, "%s is set too; set only one of them", name)
			delete(vars, name)
		}
	}
}

// tree makes the nodes that a file with the same meaning would have, so that
// the tables of the file read the variables too.
func tree(vars map[string]string, table []setting, protocol Protocol) *yaml.Node {
	root := &yaml.Node{Kind: yaml.MappingNode}
	account := child(root, "accounts[0]")
	child(account, string(protocol))
	if vars["MAILPULL_ACCOUNT"] == "" {
		put(account, "name", textNode("mail"))
	}
	for _, s := range table {
		value := vars[s.name]
		if value == "" || s.path == "" {
			continue
		}
		keys := strings.Split(s.path, ".")
		n := root
		for _, key := range keys[:len(keys)-1] {
			n = child(n, key)
		}
		put(n, keys[len(keys)-1], s.node(value))
	}
	return root
}

// node returns the node of the variable's value.
func (s setting) node(value string) *yaml.Node {
	switch {
	case s.name == "MAILPULL_PASSWORD", s.name == "MAILPULL_PING_URL":
		return textNode(s.name)
	case !s.list:
		return textNode(value)
	}
	list := &yaml.Node{Kind: yaml.SequenceNode}
	for part := range strings.SplitSeq(value, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list.Content = append(list.Content, textNode(part))
		}
	}
	return list
}

// child returns the mapping below a key of n and makes it if it is not there.
// The key "x[0]" stands for the first entry of the list x.
func child(n *yaml.Node, key string) *yaml.Node {
	name, isList := strings.CutSuffix(key, "[0]")
	for i := 0; i < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			if isList {
				return n.Content[i+1].Content[0]
			}
			return n.Content[i+1]
		}
	}
	mapping := &yaml.Node{Kind: yaml.MappingNode}
	if isList {
		put(n, name, &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{mapping}})
	} else {
		put(n, name, mapping)
	}
	return mapping
}

func put(n *yaml.Node, key string, value *yaml.Node) {
	n.Content = append(n.Content, textNode(key), value)
}

func textNode(value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Style: yaml.DoubleQuotedStyle}
}

// nameVariables puts the variable's name in the place of the key's path in
// every mistake, and the mistakes in the table's order.
func (w *walk) nameVariables(table []setting) {
	for i, e := range w.errs {
		for _, s := range table {
			if s.sets(e.Path) {
				w.errs[i].Path = s.name
				break
			}
		}
	}
	place := func(e Error) int {
		return slices.IndexFunc(table, func(s setting) bool { return s.name == e.Path })
	}
	slices.SortStableFunc(w.errs, func(a, b Error) int { return cmp.Compare(place(a), place(b)) })
}

// sets reports whether the path is that of the variable's key, of a mapping
// around it or of an entry of its list.
func (s setting) sets(path string) bool {
	return s.path != "" &&
		(s.path == path || strings.HasPrefix(s.path, path+".") || strings.HasPrefix(path, s.path+"["))
}
