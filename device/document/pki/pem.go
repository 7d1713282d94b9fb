package pki

import (
	"encoding/pem"
)

// PEMBlock is one block of a PEM file.
type PEMBlock struct {
	Type  string // "CERTIFICATE", "X509 CRL", "CMS", "PKCS7", ...
	Bytes []byte
}

// maxPEMBlocks bounds one PEM file.
const maxPEMBlocks = 100_000

// DecodePEM returns the blocks of a PEM file (RFC 7468:2015), none when raw is
// not PEM. Text between blocks is skipped.
func DecodePEM(raw []byte) []PEMBlock {
	var blocks []PEMBlock
	for len(blocks) < maxPEMBlocks {
		var b *pem.Block
		if b, raw = pem.Decode(raw); b == nil {
			break
		}
		blocks = append(blocks, PEMBlock{Type: b.Type, Bytes: b.Bytes})
	}
	return blocks
}
