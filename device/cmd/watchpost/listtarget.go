package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/listfeed/repo"
	"github.com/watchpost/watchpost/device/listfeed/signer"
	"github.com/watchpost/watchpost/device/listfeed/target"
	"github.com/watchpost/watchpost/device/vault"
)

// signRow is what is said of a signature given to metadata.
type signRow struct {
	File   string `json:"file"`
	Signer string `json:"signer"`
	KeyID  string `json:"key_id"`
}

// signMetadata adds a signature to metadata of a feed, in their file.
func signMetadata(cmd *cobra.Command, file, keyFile, passphraseFile string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return fault.Wrap("input.read", err)
	}
	key, name, err := approverKey(keyFile, passphraseFile)
	if err != nil {
		return err
	}
	if raw, err = repo.Sign(raw, key); err != nil {
		return err
	}
	if err := os.WriteFile(file, raw, 0o644); err != nil {
		return fault.Wrap("output.write", err)
	}
	id, err := repo.KeyID(key.Public().(ed25519.PublicKey))
	if err != nil {
		return err
	}
	out := newRows(cmd)
	if err := out.JSON(signRow{file, name, id}); err != nil {
		return err
	}
	return out.End()
}

// approverKey opens a signing key: one of "list signkey", or PKCS #8 in PEM.
func approverKey(file, passphraseFile string) (ed25519.PrivateKey, string, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, "", fault.Wrap("list.signing_key", err)
	}
	if !signer.Is(raw) {
		key, err := signingKey(file)
		return key, "", err
	}
	words, err := passphraseOf(passphraseFile)
	if err != nil {
		return nil, "", err
	}
	k, err := signer.Decode(raw, words)
	if err != nil {
		return nil, "", err
	}
	return k.Private(), k.Name, nil
}

func passphraseOf(file string) ([]byte, error) {
	if file == "" {
		return nil, fault.New("usage", "the key is under a passphrase: give --passphrase-file")
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fault.Wrap("list.signing_key", err)
	}
	return []byte(strings.TrimRight(string(raw), "\r\n")), nil
}

func listSignKeyCommand() *cobra.Command {
	var name, out, words string
	c := &cobra.Command{
		Use:   "signkey --name WHO --out FILE --passphrase-file FILE",
		Short: "Make an approver's signing key, on his own machine",
		Long: `Make an Ed25519 key in a file under a passphrase (Argon2id). The public half comes out,
{name, public_key}: it goes to whoever writes the feed's delegations. The file never
leaves the approver's machine; "list sign" uses it there.`,
		Example: `  watchpost list signkey --name anna --out anna.key --passphrase-file words`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			phrase, err := passphraseOf(words)
			if err != nil {
				return err
			}
			k, err := signer.Create(out, name, phrase)
			if err != nil {
				return err
			}
			rows := newRows(cmd)
			if err := rows.JSON(map[string]string{"name": k.Name, "public_key": base64.StdEncoding.EncodeToString(k.Public())}); err != nil {
				return err
			}
			return rows.End()
		},
	}
	c.Flags().StringVar(&name, "name", "", "whose key it is")
	c.Flags().StringVar(&out, "out", "", "file of the key; one that is there is not touched")
	c.Flags().StringVar(&words, "passphrase-file", "", "file whose first line is the passphrase, at least 8 bytes")
	require(c, "name", "out", "passphrase-file")
	return c
}

// stageFlags are what "list stage" is told.
type stageFlags struct {
	repo, owner, list, dir, keyFile string
	kind, name, devices             string
	generation, epoch               uint64
	days                            int
	to                              []string
}

func listStageCommand() *cobra.Command {
	var o stageFlags
	c := &cobra.Command{
		Use: `stage --repo DIR --owner OWNER --list LIST --generation N --dir GENERATION --key FILE --for PUBLICKEY...
  watchpost list stage --repo DIR --owner OWNER --kind KIND --name all|POST --generation N --dir FILES --key FILE [--for PUBLICKEY...]`,
		Short: "Put a built generation, or what else decides, into a feed, for two to sign",
		Long: `Seal the folder of a generation ("list build" makes it, below files/lists/LIST) into
chunks of a feed's repository, wrap its key for the devices named with --for, and
write the owner's next targets to REPO/staged/OWNER.json. Two approvers sign that
file on machines of their own ("list sign --key KEY OWNER.json"), and central
publishes it. A device that is left out of a higher --epoch has its list withdrawn.

With --kind the files below --dir are for posts, or for the one of --name:
  policy      policy.yaml              thresholds  thresholds.yaml (policy's biometric part)
  accounts    accounts.json            models      the face engine's files
  trust       a store of "watchpost trust import"
  anchors     certificates and master lists; those below pins/ vouch for lists' signers
  crl         revocation lists         deviation   deviation lists
They are sealed under the key of --devices, whose list of devices --for makes anew.`,
		Example: `  watchpost list stage --repo feed --owner un --list un-sc --generation 7 --dir folder/files/lists/un-sc \
    --key un.key --for 9jxW0V7x7YQy0m3q2q8m9bq7o2b3W8l0d0v1q2r3s4U=
  watchpost list sign --key anna.key --passphrase-file words feed/staged/un.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd) },
	}
	f := c.Flags()
	f.StringVar(&o.repo, "repo", "", "folder of the repository")
	f.StringVar(&o.owner, "owner", "", "role of the owner in the feed")
	f.StringVar(&o.list, "list", "", "identifier of the list")
	f.StringVar(&o.dir, "dir", "", "folder of the generation")
	f.StringVar(&o.keyFile, "key", "", "file of the list's key, the one given to list build")
	f.Uint64Var(&o.generation, "generation", 0, "number of the generation, higher than any before")
	f.Uint64Var(&o.epoch, "epoch", 1, "of the list's key: higher with each other key")
	f.IntVar(&o.days, "days", 30, "days until the owner's targets run out")
	f.StringArrayVar(&o.to, "for", nil, "public key of a device, base64")
	f.StringVar(&o.kind, "kind", string(target.KindList), "kind of what is in --dir")
	f.StringVar(&o.name, "name", "", "post that it is for, or all")
	f.StringVar(&o.devices, "devices", "posts", "name of the key and of the list of devices that get it, but for lists")
	require(c, "repo", "owner", "dir", "key", "generation")
	return c
}

func (o *stageFlags) run(cmd *cobra.Command) error {
	isList := target.Kind(o.kind) == target.KindList
	if !isList && !target.Kind(o.kind).Single() {
		return fault.New("usage", "--kind is none of list, trust, anchors, crl, deviation, policy, thresholds, accounts, models")
	}
	if isList != (o.list != "") || isList != (o.name == "") || isList && len(o.to) == 0 {
		return fault.New("usage", "give --list and --for, or --kind and --name")
	}
	if isList {
		o.name, o.devices = o.list, o.list
	}
	if !target.ValidPart(o.owner) || !target.ValidPart(o.name) || !target.ValidPart(o.devices) || o.epoch == 0 {
		return fault.New("usage", "owners and names are of a-z, 0-9, '_', '.', '-'; epochs begin at 1")
	}
	var to []vault.Recipient
	for _, r := range o.to {
		key, err := base64.StdEncoding.DecodeString(r)
		if err != nil {
			return fault.New("usage", "--for is not base64")
		}
		to = append(to, key)
	}
	ring := vault.NewRing()
	defer ring.Close()
	key, err := listKey(ring, o.keyFile)
	if err != nil {
		return err
	}
	r, err := repo.Open(o.repo)
	if err != nil {
		return err
	}
	entries, err := o.entries(cmd.Context(), r, ring, key, to)
	if err != nil {
		return err
	}
	if err := r.Stage(o.owner, time.Now().AddDate(0, 0, o.days), entries); err != nil {
		return err
	}
	out := newRows(cmd)
	for _, e := range entries {
		if err := out.JSON(map[string]any{"target": e.Path.String(), "sha256": e.Sum, "bytes": e.Size, "staged": r.StagedName(o.owner)}); err != nil {
			return err
		}
	}
	return out.End()
}

func (o *stageFlags) entries(ctx context.Context, r *repo.Repo, ring *vault.Ring, key *vault.Key, to []vault.Recipient) ([]repo.Entry, error) {
	at := func(k target.Kind, name string) target.Path {
		return target.Path{Owner: o.owner, Kind: k, Name: name}
	}
	name := target.KeyName{Name: o.devices, Epoch: o.epoch}
	now := time.Now()
	files, err := r.AddFiles(ctx, ring, key, repo.Spec{Path: at(target.Kind(o.kind), o.name), Version: o.generation, Created: now, Expires: now.AddDate(0, 0, o.days), Key: name}, filepath.Clean(o.dir))
	if err != nil {
		return nil, err
	}
	entries := []repo.Entry{files}
	if len(to) > 0 {
		devices, err := r.AddDevices(at(target.KindDevices, o.devices), o.epoch, key, to...)
		if err != nil {
			return nil, err
		}
		entries = append(entries, devices)
	}
	if target.Kind(o.kind) != target.KindList {
		return entries, nil
	}
	segments, err := r.NoSegments(at(target.KindSegment, o.list), o.generation, name)
	return append(entries, segments), err
}
