// Package linkv1 is the contract between a post and central over an untrusted
// broker: messages, and the sealing and signing that both sides must do alike.
// link.proto says what each word means.
//
// To generate after an edit: see sdk/proto/driver/v1.
package linkv1

//go:generate sh -c "cd ../../../.. && protoc -I . --plugin=protoc-gen-go=$(go tool -n protoc-gen-go) --go_out=. --go_opt=module=github.com/watchpost/watchpost sdk/proto/link/v1/link.proto"
