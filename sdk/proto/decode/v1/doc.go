// Package decodev1 is the wire contract of the decode process, generated from
// decode.proto, which documents it.
package decodev1

//go:generate protoc --go_out=. --go_opt=paths=source_relative --go-grpc_out=. --go-grpc_opt=paths=source_relative decode.proto
