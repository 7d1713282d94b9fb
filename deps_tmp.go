//go:build deps

// Package deps pins modules while the first packages are written; removed once each has its importer.
package deps

import (
	_ "github.com/FastFilter/xorfilter"
	_ "github.com/Kagami/go-face"
	_ "github.com/aead/cmac"
	_ "github.com/danielgtaylor/huma/v2"
	_ "github.com/danielgtaylor/huma/v2/adapters/humago"
	_ "github.com/ebfe/scard"
	_ "github.com/elastic/go-seccomp-bpf"
	_ "github.com/goccy/go-yaml"
	_ "github.com/google/jsonschema-go/jsonschema"
	_ "github.com/google/uuid"
	_ "github.com/gorilla/websocket"
	_ "github.com/landlock-lsm/go-landlock/landlock"
	_ "github.com/mattn/go-isatty"
	_ "github.com/osanderson/brainpool"
	_ "github.com/prometheus/client_golang/prometheus"
	_ "github.com/prometheus/client_golang/prometheus/promhttp"
	_ "github.com/rogpeppe/go-internal/testscript"
	_ "github.com/spf13/cobra"
	_ "go.etcd.io/bbolt"
	_ "gocv.io/x/gocv"
	_ "golang.org/x/crypto/argon2"
	_ "golang.org/x/crypto/cryptobyte"
	_ "golang.org/x/crypto/hkdf"
	_ "golang.org/x/image/font"
	_ "golang.org/x/sync/errgroup"
	_ "golang.org/x/sys/unix"
	_ "golang.org/x/text/unicode/norm"
	_ "google.golang.org/genproto/googleapis/rpc/errdetails"
	_ "google.golang.org/grpc"
	_ "google.golang.org/protobuf/proto"
)
