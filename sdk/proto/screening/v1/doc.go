// Package screeningv1 is the contract by which a post asks other holders of
// lists (Source) and delivers outcomes (Sink). screening.proto says what each
// word means and what version 1 promises.
//
// To generate after an edit: see sdk/proto/driver/v1.
package screeningv1

//go:generate sh -c "cd ../../../.. && protoc -I . --plugin=protoc-gen-go=$(go tool -n protoc-gen-go) --plugin=protoc-gen-go-grpc=$(go tool -n protoc-gen-go-grpc) --go_out=. --go_opt=module=github.com/watchpost/watchpost --go-grpc_out=. --go-grpc_opt=module=github.com/watchpost/watchpost sdk/proto/screening/v1/screening.proto"
