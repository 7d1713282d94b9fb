package state_test

import (
	"testing"

	"github.com/watchpost/watchpost/device/watchlist/imports/state"
)

func TestCode(t *testing.T) {
	for name, want := range map[string]string{
		"Kenya": "KEN", "kenyan": "KEN", "KE": "KEN", "ken": "KEN", "Germany": "D", "DEU": "D", "d": "D", "DE": "D",
		"Iran (Islamic Republic of)": "IRN", "Korea, North": "PRK", "Democratic People's Republic of Korea": "PRK",
		"Republic of Korea": "KOR", "The Netherlands": "NLD", "Côte d’Ivoire": "CIV", "Bosnia & Herzegovina": "BIH",
		"Congo, Democratic Republic of the": "COD", "Niger": "NER", "Nigeria": "NGA", "Guinea": "GIN", "Guinea-Bissau": "GNB",
		"Utopia": "UTO", "stateless": "XXA", "Viet  Nam": "VNM", "GBD": "GBD",
		"": "", "Nowhere": "", "XX": "", "Kenya and Chad": "", "(Kenya)": "KEN", "123": "", "Ken ya": "",
	} {
		if got := state.Code(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
