// Package facev1 is the contract of the face engine that stands beside the
// camera: it computes templates of kept captures, so that the pixels of a
// person need not leave the process that took them. Message types are shared
// with decode/v1.
//
// To generate after an edit: see sdk/proto/driver/v1.
package facev1

//go:generate sh -c "cd ../../../.. && protoc -I . -I sdk/proto/decode/v1 --plugin=protoc-gen-go=$(go tool -n protoc-gen-go) --plugin=protoc-gen-go-grpc=$(go tool -n protoc-gen-go-grpc) --go_out=. --go_opt=module=github.com/watchpost/watchpost --go-grpc_out=. --go-grpc_opt=module=github.com/watchpost/watchpost sdk/proto/face/v1/face.proto"
