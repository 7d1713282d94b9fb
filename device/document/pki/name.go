package pki

// Attribute is one part of a Name.
type Attribute struct {
	OID   string
	Value string
}

// Name is a distinguished name in encoded order.
type Name struct {
	Attributes []Attribute
}
