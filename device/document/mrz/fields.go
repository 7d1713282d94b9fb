package mrz

// Fields returns the zone's fields under stable names; each format has a
// fixed set of them, empty where the document leaves them empty. Dates are
// YYYY-MM-DD with unknown parts as X. names_truncated is "true" or "false".
// It is personal data.
func (z *Zone) Fields() map[string]string {
	f := map[string]string{
		"document_code":   z.DocumentCode,
		"issuer":          z.Issuer,
		"document_number": z.DocumentNumber,
		"surname":         z.Surname,
		"given_names":     z.GivenNames,
		"birth_date":      z.date(z.Birth, ProblemBirthDate),
		"sex":             string(z.Sex),
		"names_truncated": "false",
	}
	if z.NamesTruncated {
		f["names_truncated"] = "true"
	}
	if z.Format == IDFRA {
		f["office"] = z.Office
		return f
	}
	f["nationality"] = z.Nationality
	f["expiry_date"] = z.date(z.Expiry, ProblemExpiryDate)
	switch z.Format {
	case TD3:
		f["personal_number"] = z.PersonalNumber
	case TD1:
		f["optional_data"] = z.OptionalData
		f["optional_data_2"] = z.OptionalData2
	default:
		f["optional_data"] = z.OptionalData
	}
	return f
}

// date is empty where the zone holds no date at all, so that it is not
// mistaken for one whose parts are declared unknown.
func (z *Zone) date(d Date, problem ProblemCode) string {
	if z.has(problem) {
		return ""
	}
	return d.String()
}

// Digits returns the check digits by name.
func (z *Zone) Digits() map[string]bool {
	m := make(map[string]bool, len(z.CheckDigits))
	for _, d := range z.CheckDigits {
		m[string(d.Name)] = d.Right
	}
	return m
}
