package main

import (
	"context"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/capture/decode"
	"github.com/watchpost/watchpost/device/capture/decode/face"
	"github.com/watchpost/watchpost/device/capture/sandbox"
	"github.com/watchpost/watchpost/sdk/driver"
	decodev1 "github.com/watchpost/watchpost/sdk/proto/decode/v1"
)

// decodeMemory bounds what a hostile image can make the process take, bytes:
// some 400 MB an image, one image a core, and the engines beside.
const decodeMemory = 3 << 30

func newDecode() *cobra.Command {
	var c common
	cmd := &cobra.Command{
		Use:   "decode (--fd N | --socket PATH)",
		Short: "Turn outside images into pixels and face templates",
		Long: `Serve sdk/proto/decode/v1: JPEG, JPEG 2000, WSQ, PNG, TIFF and PGM images in,
raw pixels, converted images and face templates out.

The process reads the face models, then gives up every file, device and socket.
Started by the daemon, fresh for each encounter; nobody else needs to start it.`,
		Example: "  watchpost-capture decode --socket /tmp/decode.sock",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			engines := c.decodeEngines()
			return c.serve(cmd.Context(), role{
				name:    "decode",
				profile: sandbox.Profile{Libraries: true, MaxData: decodeMemory},
				setup: func(_ context.Context, server *driver.Server, _ *slog.Logger) func() error {
					service := decode.NewServer(cores(), engines)
					service.Register(server)
					return service.Close
				},
			})
		},
	}
	c.flags(cmd)
	return cmd
}

// decodeEngines reads the models while files can still be read. Without them
// images are decoded all the same; the first template says what is missing.
func (c *common) decodeEngines() map[decodev1.FaceEngine]decode.Engine {
	models, err := c.openModels()
	if err != nil {
		return map[decodev1.FaceEngine]decode.Engine{
			decodev1.FaceEngine_FACE_ENGINE_DLIB: {
				Pool: face.NewPool(1, func() (face.Engine, error) { return nil, err }),
				BLAS: func() string { return "" }, Parallel: 1,
			},
		}
	}
	return decode.Engines(models, cores())
}
