package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/capture"
	"github.com/watchpost/watchpost/device/fault"
	decodev1 "github.com/watchpost/watchpost/sdk/proto/decode/v1"
)

func imageCommand() *cobra.Command {
	group := &cobra.Command{Use: "image", Short: "Convert images"}
	group.AddCommand(imageConvertCommand())
	return group
}

// writable names the formats by file extension.
var writable = map[string]decodev1.ImageFormat{
	".jpg":  decodev1.ImageFormat_IMAGE_FORMAT_JPEG,
	".jpeg": decodev1.ImageFormat_IMAGE_FORMAT_JPEG,
	".png":  decodev1.ImageFormat_IMAGE_FORMAT_PNG,
	".jp2":  decodev1.ImageFormat_IMAGE_FORMAT_JP2,
	".pgm":  decodev1.ImageFormat_IMAGE_FORMAT_PGM,
	".tif":  decodev1.ImageFormat_IMAGE_FORMAT_TIFF,
	".tiff": decodev1.ImageFormat_IMAGE_FORMAT_TIFF,
	".wsq":  decodev1.ImageFormat_IMAGE_FORMAT_WSQ,
}

func imageConvertCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "convert IN OUT",
		Short: "Write an image in another format",
		Long: `Writes the image IN as OUT, in the format that OUT's extension names: .jpg,
.jpeg, .png, .jp2, .pgm, .tif, .tiff, .wsq. IN is recognised by its content:
JPEG, JPEG 2000 (JP2 and bare codestream), PNG, PGM, PPM, TIFF, BMP or WSQ, at most
64 megapixels and 32 MiB.

The image is turned upright where EXIF or TIFF says how it was held. Grey stays
grey and colour stays colour, but PGM is always grey; 16 bits stay 16 except in
JPEG, which is written at quality 95; JPEG 2000 is written without loss. WSQ,
the form of fingerprints in police exchange, is 8-bit grey at 0.75 bits a
pixel, about 15:1; it keeps the resolution where IN states one.

Nothing is printed. OUT appears whole or not at all; an existing file is
replaced. Errors: image.format, image.truncated, image.too_large,
image.unsupported (another extension), file.open, file.write.`,
		Example: "  watchpost image convert DG2.jp2 portrait.png\n  watchpost image convert index.tif index.wsq",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ext := strings.ToLower(filepath.Ext(args[1]))
			to, ok := writable[ext]
			if !ok {
				return fault.New("image.unsupported", "%q is not written", ext).
					WithHint("give OUT one of the extensions .jpg .png .jp2 .pgm .tif .wsq")
			}
			img, err := readImage(args[0])
			if err != nil {
				return err
			}
			d := newDecoder(cmd.ErrOrStderr())
			defer d.Close()
			var converted []byte
			err = d.do(cmd.Context(), func(c *capture.DecodeClient) error {
				var err error
				converted, err = c.Convert(cmd.Context(), img, to)
				return err
			})
			if err != nil {
				return err
			}
			return replaceFile(args[1], converted)
		},
	}
}

// replaceFile writes a file so that path holds either what it held before or
// all of data. What is no regular file, a pipe for instance, is written to.
func replaceFile(path string, data []byte) (err error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fault.Wrap("file.write", os.WriteFile(path, data, 0))
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fault.Wrap("file.write", err)
	}
	defer func() {
		if err != nil {
			err = fault.Wrap("file.write", errors.Join(err, os.Remove(f.Name())))
		}
	}()
	if _, err := f.Write(data); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Chmod(0o644); err != nil {
		return errors.Join(err, f.Close())
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
