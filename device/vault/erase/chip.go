package erase

import (
	"context"
	"encoding/json"

	"github.com/watchpost/watchpost/device/fault"
	"github.com/watchpost/watchpost/device/vault"
	"github.com/watchpost/watchpost/device/vault/lease"
	"github.com/watchpost/watchpost/device/vault/tpm"
)

// ChipHalf returns what of a way's parameters is a TPM's, nil for none.
func ChipHalf(kind string, params json.RawMessage) json.RawMessage {
	switch kind {
	case tpm.Kind:
		return params
	case lease.Kind:
		if kind, local, err := lease.Local(params); err == nil && kind == tpm.Kind {
			return local
		}
	}
	return nil
}

// ChipOf returns the parameters of the first way into v by a TPM, nil where
// there is none: ways by one chip share what they hold.
func ChipOf(v *vault.Vault) json.RawMessage {
	for _, w := range v.State().UnlockBy {
		if params, err := v.WayParams(w); err == nil {
			if half := ChipHalf(w.Kind, params); half != nil {
				return half
			}
		}
	}
	return nil
}

// Way makes the TPM at device forget a way that a vault no longer has, by the
// parameters that the vault held; a way without a chip is no error.
func Way(ctx context.Context, device, kind string, params json.RawMessage) error {
	half := ChipHalf(kind, params)
	if half == nil {
		return nil
	}
	if device == "" {
		return fault.New("tpm.missing", "the TPM could not be made to forget it: none was named").WithHint("give it with --tpm")
	}
	return (tpm.Unlocker{Device: device}).ForgetWay(ctx, half)
}
