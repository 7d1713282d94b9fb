package main

import (
	"crypto/ed25519"
	"time"

	"github.com/nats-io/nkeys"
	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/uplink"
	linkv1 "github.com/watchpost/watchpost/sdk/proto/link/v1"
)

// enrolment is what "keys request" prints.
type enrolment struct {
	Post    string `json:"post"`
	Code    string `json:"code"`    // to compare
	Request string `json:"request"` // to send
}

func keysRequestCommand(k *keysFlags) *cobra.Command {
	var post string
	c := &cobra.Command{
		Use:   "request --post NAME",
		Short: "Show this post's request to be enrolled at central",
		Long: `Prints one JSON object: the request, which is no secret and travels by mail or on paper,
and its code. Whoever approves at central reads the code from this box and compares it
with what central shows; two different operators approve (watchpost-central enrol). The
same command renews a certificate that ran out too long ago.`,
		Example: "  watchpost keys request --state /var/lib/watchpost --passphrase-file passphrase --post desk-1",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, v, err := k.open(cmd)
			if err != nil {
				return err
			}
			defer v.Lock()
			key, err := uplink.OpenKey(dir, v)
			if err != nil {
				return err
			}
			defer key.Wipe()
			public, err := key.PublicKey()
			if err != nil {
				return fault.Wrap("link.key", err)
			}
			raw, err := nkeys.Decode(nkeys.PrefixByteUser, []byte(public))
			if err != nil {
				return fault.Wrap("link.key", err)
			}
			recipient, err := v.Recipient()
			if err != nil {
				return err
			}
			text, err := linkv1.NewEnrolmentRequest(post, ed25519.PublicKey(raw), recipient, time.Now(), key.Sign)
			if err != nil {
				return fault.Wrap("link.post", err)
			}
			return printOne(cmd, enrolment{post, linkv1.EnrolmentCode(text), text})
		},
	}
	c.Flags().StringVar(&post, "post", "", "name of this post, as its configuration has it")
	require(c, "post")
	return c
}
