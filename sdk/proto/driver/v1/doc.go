// Package driverv1 is the contract between Watchpost and the processes that
// hold devices: cameras, finger sensors, chip readers, page readers. The
// .proto files beside it are the contract and its documentation; the Go code
// is generated from them.
//
// A driver in Go is written with sdk/driver. In another language: generate
// from the same files, serve gRPC on a unix socket, messages up to 32 MiB.
//
// Compatibility: fields, enum values and calls are added, never changed or
// reused; what would break a peer gets a package driver/v2.
//
// To generate after an edit: install protoc (Debian: protobuf-compiler), then
// "go generate ./sdk/proto/driver/v1". The plugins are tools of go.mod.
package driverv1

//go:generate sh -c "cd ../../../.. && protoc -I . --plugin=protoc-gen-go=$(go tool -n protoc-gen-go) --plugin=protoc-gen-go-grpc=$(go tool -n protoc-gen-go-grpc) --go_out=. --go_opt=module=github.com/watchpost/watchpost --go-grpc_out=. --go-grpc_opt=module=github.com/watchpost/watchpost sdk/proto/driver/v1/*.proto"
