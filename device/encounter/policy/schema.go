package policy

import _ "embed"

//go:embed policy.schema.json
var schema string

// Schema returns the published JSON schema (draft 2020-12) of a policy. A test
// holds it equal to the Go form.
func Schema() string { return schema }
