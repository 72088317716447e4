package systemd

// Events returns the MESSAGE_ID of each event that somebody may want to wait
// for, by its constant message in the log: journalctl MESSAGE_ID=... finds all
// of its kind. An id is never given to another event, and a message that is
// worded anew keeps its own. The map is the caller's.
func Events() map[string]string {
	return map[string]string{
		"daemon started":        "f5ea83dc18a34c67ae2c3bc399baa50f",
		"daemon stopped":        "7a160d295b0642e392e6fdeda66820fe",
		"reloaded":              "2c3ff3061e8f4c1ca678ffd54dc8742f",
		"reload failed":         "dd5fa8d4f69b40d6b782a47a80528b24",
		"pass done":             "265c0599c91641588fa86e186b37df12",
		"pass failed":           "c0b9957910664b38824e3395b7a497d1",
		"sign-in paused":        "97970e9562564f609f103e753864ad9e",
		"account resumed":       "a6757434dd5849b9b0bc52f8a452c093",
		"message in quarantine": "8ff44a637b4c451586594ffee9bdc8e5",
		"uidvalidity changed, matching what the archive has by content": "cd1fa61bd3f0416a9fee793747960745",
		"panic": "6a96c28245804d8ab178e7748f40ac21",
	}
}
