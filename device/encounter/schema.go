package encounter

import _ "embed"

//go:embed events.schema.json
var eventsSchema string

// EventsSchema returns the published JSON schema (draft 2020-12) of an event
// and of what each kind carries. A test holds it equal to the Go form.
func EventsSchema() string { return eventsSchema }
