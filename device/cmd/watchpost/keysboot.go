package main

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/hex"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault/tpm"
)

// bootValues is what "keys boot" prints: registers and their values in
// hexadecimal.
type bootValues map[string]string

func keysBootCommand(k *keysFlags) *cobra.Command {
	var key, image string
	var pcrs []string
	c := &cobra.Command{
		Use:   "boot",
		Short: "Show how the box has booted, and sign boots",
		Long: `Prints the registers of the TPM that vaults are sealed under: 7 (the firmware's settings
and whose signatures it takes) and 11 (the image), SHA-256, as one JSON object.`,
		Example: `  watchpost keys boot --tpm /dev/tpmrm0`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if k.by.TPM == "" {
				k.by.TPM = defaultTPM
			}
			values, err := tpm.ReadBoot(cmd.Context(), k.by.TPM)
			if err != nil {
				return err
			}
			out := bootValues{}
			for i, pcr := range tpm.BootPCRs() {
				out[strconv.Itoa(int(pcr))] = hex.EncodeToString(values[i])
			}
			return printOne(cmd, out)
		},
	}
	sign := &cobra.Command{
		Use:   "sign --key KEY.pem --image NAME --pcr 7=HEX --pcr 11=HEX",
		Short: "Approve a boot, as the maker of the image",
		Long: `Signs the boot that leaves these values in the registers and prints one line for
` + tpm.BootFile + `, which travels with the image and lies in the state folder of a post:
a vault made with --boot-key then opens after the update as it did before. The key is
ECDSA P-256 in PEM (PKCS #8), kept by the maker.`,
		Example: `  watchpost keys boot sign --key maker.pem --image "frontline 2.1" --pcr 7=... --pcr 11=... >> boot.jsonl`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			values, err := parsePCRs(pcrs)
			if err != nil {
				return err
			}
			der, err := pemBlock(key, "PRIVATE KEY")
			if err != nil {
				return err
			}
			defer clear(der)
			parsed, err := x509.ParsePKCS8PrivateKey(der)
			private, ok := parsed.(*ecdsa.PrivateKey)
			if err != nil || !ok {
				return fault.New("tpm.boot_key", "%s is not a private key for ECDSA", key)
			}
			b, err := tpm.SignBoot(private, image, values...)
			if err != nil {
				return err
			}
			return printOne(cmd, b)
		},
	}
	sign.Flags().StringVar(&key, "key", "", "private key of the maker (PEM)")
	sign.Flags().StringVar(&image, "image", "", "name and version of the image, for people")
	sign.Flags().StringArrayVar(&pcrs, "pcr", nil, "register and value: N=HEX")
	require(sign, "key", "image", "pcr")
	c.AddCommand(sign)
	return c
}

// parsePCRs reads the values of tpm.BootPCRs, in that order.
func parsePCRs(given []string) ([][]byte, error) {
	values := make([][]byte, 0, len(given))
	for _, pcr := range tpm.BootPCRs() {
		for _, g := range given {
			n, text, ok := strings.Cut(g, "=")
			if !ok || n != strconv.Itoa(int(pcr)) {
				continue
			}
			raw, err := hex.DecodeString(text)
			if err != nil {
				return nil, fault.New("usage", "--pcr %s is not in hexadecimal", n)
			}
			values = append(values, raw)
		}
	}
	if len(values) != len(tpm.BootPCRs()) || len(values) != len(given) {
		return nil, fault.New("usage", "--pcr is needed once each for %v", tpm.BootPCRs())
	}
	return values, nil
}
