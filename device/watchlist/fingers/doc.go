// Package fingers searches the fingerprints of many people: a filter over all
// packed prints, relaxation of the best, full comparison of the finalists, and
// a sum over the fingers of log-likelihood ratios.
//
// People are put in and taken out while searches run, at a cost that does not
// grow with their number. A search sees every person that was in when it began
// and is in when it ends.
package fingers
