package trust

import "strings"

// isoCodes pairs ISO 3166-1:2020 alpha-3 with alpha-2, five letters each.
const isoCodes = "ABWAW AFGAF AGOAO AIAAI ALAAX ALBAL ANDAD AREAE ARGAR ARMAM ASMAS ATAAQ ATFTF ATGAG AUSAU AUTAT AZEAZ BDIBI " +
	"BELBE BENBJ BESBQ BFABF BGDBD BGRBG BHRBH BHSBS BIHBA BLMBL BLRBY BLZBZ BOLBO BRABR BRBBB BRNBN BTNBT BVTBV " +
	"BWABW CAFCF CANCA CCKCC CHECH CHLCL CIVCI CMRCM CODCD COGCG COKCK COLCO COMKM CPVCV CRICR CUBCU CUWCW CXRCX " +
	"CYMKY CYPCY CZECZ DEUDE DJIDJ DMADM DNKDK DOMDO DZADZ ECUEC EGYEG ERIER ESHEH ESPES ESTEE ETHET FINFI FJIFJ " +
	"FLKFK FRAFR FROFO FSMFM GABGA GBRGB GEOGE GGYGG GHAGH GIBGI GINGN GLPGP GMBGM GNBGW GNQGQ GRCGR GRDGD GRLGL " +
	"GTMGT GUFGF GUMGU GUYGY HMDHM HNDHN HRVHR HTIHT HUNHU IDNID IMNIM INDIN IOTIO IRLIE IRNIR IRQIQ ISLIS ISRIL " +
	"ITAIT JAMJM JEYJE JORJO JPNJP KAZKZ KENKE KGZKG KHMKH KIRKI KNAKN KORKR KWTKW LAOLA LBNLB LBRLR LBYLY LCALC " +
	"LIELI LKALK LSOLS LTULT LUXLU LVALV MAFMF MARMA MCOMC MDAMD MDGMG MDVMV MEXMX MHLMH MKDMK MLIML MLTMT MMRMM " +
	"MNEME MNGMN MNPMP MOZMZ MRTMR MSRMS MTQMQ MUSMU MWIMW MYSMY MYTYT NAMNA NCLNC NERNE NFKNF NGANG NICNI NIUNU " +
	"NLDNL NORNO NPLNP NRUNR NZLNZ OMNOM PAKPK PANPA PCNPN PERPE PHLPH PLWPW PNGPG POLPL PRIPR PRKKP PRTPT PRYPY " +
	"PSEPS PYFPF QATQA REURE ROURO RUSRU RWARW SAUSA SDNSD SENSN SGPSG SGSGS SHNSH SJMSJ SLBSB SLESL SLVSV SMRSM " +
	"SOMSO SPMPM SRBRS SSDSS STPST SURSR SVKSK SVNSI SWESE SWZSZ SXMSX SYCSC SYRSY TCATC TCDTD TGOTG THATH TJKTJ " +
	"TKLTK TKMTM TLSTL TONTO TTOTT TUNTN TURTR TUVTV TWNTW TZATZ UGAUG UKRUA UMIUM URYUY USAUS UZBUZ VATVA VCTVC " +
	"VENVE VGBVG VIRVI VNMVN VUTVU WLFWF WSMWS YEMYE ZAFZA ZMBZM ZWEZW"

// specialCodes are MRZ issuers of Doc 9303-3:2021 section 5 that ISO 3166-1
// does not have, or whose CSCA writes another country than its own, with the
// C values of CSCA certificates seen in the German, Dutch and ICAO master
// lists of 2024 and 2025: Hong Kong and Macao passports have issuer CHN, the
// first United Nations CSCA has ZZ, Bermuda's own CSCA has BM, Kosovo writes
// KS (XK is the code that the European Union uses).
var specialCodes = map[string][]string{
	"BMU": {"BM", "GB"},
	"CHN": {"CN", "HK", "MO"},
	"D":   {"DE"},
	"EUE": {"EU"},
	"GBD": {"GB", "BM"},
	"GBN": {"GB"},
	"GBO": {"GB"},
	"GBP": {"GB"},
	"GBS": {"GB"},
	"HKG": {"HK", "CN"},
	"MAC": {"MO", "CN"},
	"RKS": {"KS", "XK"},
	"UNA": {"UN", "ZZ"},
	"UNK": {"UN", "ZZ"},
	"UNO": {"UN", "ZZ"},
	"UTO": {"UT"},
	"XCC": {"XC"},
	"XOM": {"XO"},
	"XPO": {"XP"},
}

// CountryMatches reports whether a certificate's country (its C attribute, two
// letters, rarely three, of either case) may stand for the issuing state or
// organisation in an MRZ (up to three letters, fillers allowed). An issuer that
// is not known, or an empty country, matches nothing. Codes of statelessness
// (XXA and the like) are nationalities and no issuers.
func CountryMatches(certCountry, mrzIssuer string) bool {
	country := strings.ToUpper(strings.TrimSpace(certCountry))
	issuer := strings.ToUpper(strings.Trim(mrzIssuer, "< "))
	if country == "" || issuer == "" {
		return false
	}
	twos := Countries(issuer)
	for _, two := range twos {
		if two == country {
			return true
		}
	}
	return len(twos) > 0 && country == issuer
}

// Countries returns the certificate countries that may stand for an MRZ
// issuer, the usual one first; nil when the issuer is not known.
func Countries(mrzIssuer string) []string {
	issuer := strings.ToUpper(strings.Trim(mrzIssuer, "< "))
	if twos, ok := specialCodes[issuer]; ok {
		return append([]string(nil), twos...)
	}
	if len(issuer) != 3 {
		return nil
	}
	for rest := isoCodes; len(rest) >= 5; rest = strings.TrimPrefix(rest[5:], " ") {
		if rest[:3] == issuer {
			return []string{rest[3:5]}
		}
	}
	return nil
}
