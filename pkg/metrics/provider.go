package metrics

import "strings"

// otherProvider stands for every provider that is not in the list.
const otherProvider = "other"

// Provider returns the provider that a host name belongs to, one of a short
// list, and "other" for the rest. A host name itself may say who somebody is.
func Provider(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	for _, p := range providers() {
		if host == p.domain || strings.HasSuffix(host, "."+p.domain) {
			return p.provider
		}
	}
	return otherProvider
}

type provider struct{ domain, provider string }

func providers() []provider {
	return []provider{
		{"gmail.com", "gmail"}, {"googlemail.com", "gmail"},
		{"office365.com", "microsoft"}, {"outlook.com", "microsoft"}, {"hotmail.com", "microsoft"}, {"live.com", "microsoft"},
		{"yahoo.com", "yahoo"}, {"aol.com", "yahoo"},
		{"mail.me.com", "icloud"}, {"icloud.com", "icloud"},
		{"fastmail.com", "fastmail"}, {"messagingengine.com", "fastmail"},
		{"gmx.net", "gmx"}, {"gmx.com", "gmx"}, {"gmx.de", "gmx"},
		{"proton.me", "proton"}, {"protonmail.com", "proton"}, {"protonmail.ch", "proton"},
	}
}
