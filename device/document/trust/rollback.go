package trust

import "github.com/watchpost/watchpost/device/fault"

// Undoes returns trust.rollback where next, which shall take the place of held,
// has an older CRL of an issuer, or an older edition of a publisher's list,
// than held. What next has no CRL or list of is no rollback: whoever signs a
// store may leave an issuer out with its anchor.
func Undoes(held, next *Store) error {
	for _, old := range held.crls {
		for _, now := range next.crls {
			if old.key == now.key && old.crl.Issuer.Equal(now.crl.Issuer) && older(now.crl, old.crl) {
				return fault.New(ErrRollback.Code, "CRL of %s, held %s", edition(now.crl.ThisUpdate), edition(old.crl.ThisUpdate))
			}
		}
	}
	for _, old := range held.lists {
		for _, now := range next.lists {
			if old.Kind == now.Kind && old.List == now.List && now.Edition.Before(old.Edition) {
				return fault.New(ErrRollback.Code, "edition %s of %s, held %s", edition(now.Edition), now.Kind, edition(old.Edition))
			}
		}
	}
	return nil
}
