package officer

import _ "embed"

//go:embed accounts.schema.json
var accountsSchema string

//go:embed signed.schema.json
var signedSchema string

// Schemas returns the published JSON schemas (draft 2020-12) of an accounts
// file, and of a signed one. A test holds them equal to the Go form.
func Schemas() (accounts, signed string) { return accountsSchema, signedSchema }
