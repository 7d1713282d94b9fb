package state

// states holds one state a line: code; code of two letters (ISO 3166-1:2020);
// names. Doc 9303-3:2021 section 5 adds the codes that are no state's.
const states = `AFG;AF;Afghanistan;Islamic Republic of Afghanistan;Islamic Emirate of Afghanistan;Afghan
ALB;AL;Albania;Albanian
DZA;DZ;Algeria;Algerian
AND;AD;Andorra;Andorran
AGO;AO;Angola;Angolan
ATG;AG;Antigua and Barbuda
ARG;AR;Argentina;Argentinian;Argentine
ARM;AM;Armenia;Armenian
AUS;AU;Australia;Australian
AUT;AT;Austria;Austrian
AZE;AZ;Azerbaijan;Azerbaijani
BHS;BS;Bahamas;Bahamian;Bahamas, The
BHR;BH;Bahrain;Bahraini
BGD;BD;Bangladesh;Bangladeshi
BRB;BB;Barbados;Barbadian
BLR;BY;Belarus;Belarusian;Belarussian
BEL;BE;Belgium;Belgian
BLZ;BZ;Belize;Belizean
BEN;BJ;Benin;Beninese
BTN;BT;Bhutan;Bhutanese
BOL;BO;Bolivia;Plurinational State of Bolivia;Bolivian
BIH;BA;Bosnia and Herzegovina;Bosnia;Bosnia-Herzegovina;Bosnian
BWA;BW;Botswana
BRA;BR;Brazil;Brazilian
BRN;BN;Brunei;Brunei Darussalam
BGR;BG;Bulgaria;Bulgarian
BFA;BF;Burkina Faso
BDI;BI;Burundi;Burundian
CPV;CV;Cabo Verde;Cape Verde
KHM;KH;Cambodia;Cambodian
CMR;CM;Cameroon;Cameroonian
CAN;CA;Canada;Canadian
CAF;CF;Central African Republic;Central African
TCD;TD;Chad;Chadian
CHL;CL;Chile;Chilean
CHN;CN;China;People's Republic of China;Chinese;Hong Kong;Macau;Macao
COL;CO;Colombia;Colombian
COM;KM;Comoros;Comorian
COG;CG;Congo;Republic of the Congo;Congo, Republic of the;Congo-Brazzaville
COD;CD;Democratic Republic of the Congo;Congo, Democratic Republic of the;Congo-Kinshasa;DR Congo;DRC;Congolese;Zaire
CRI;CR;Costa Rica;Costa Rican
CIV;CI;Côte d'Ivoire;Cote d Ivoire;Ivory Coast;Ivorian
HRV;HR;Croatia;Croatian
CUB;CU;Cuba;Cuban
CYP;CY;Cyprus;Cypriot
CZE;CZ;Czech Republic;Czechia;Czech
DNK;DK;Denmark;Danish
DJI;DJ;Djibouti;Djiboutian
DMA;DM;Dominica
DOM;DO;Dominican Republic
ECU;EC;Ecuador;Ecuadorian
EGY;EG;Egypt;Arab Republic of Egypt;Egyptian
SLV;SV;El Salvador;Salvadoran
GNQ;GQ;Equatorial Guinea
ERI;ER;Eritrea;Eritrean
EST;EE;Estonia;Estonian
SWZ;SZ;Eswatini;Swaziland
ETH;ET;Ethiopia;Ethiopian
FJI;FJ;Fiji;Fijian
FIN;FI;Finland;Finnish
FRA;FR;France;French
GAB;GA;Gabon;Gabonese
GMB;GM;Gambia;Gambia, The;Gambian
GEO;GE;Georgia;Georgian
D;DE;Germany;Federal Republic of Germany;German;DEU
GHA;GH;Ghana;Ghanaian
GRC;GR;Greece;Greek
GRD;GD;Grenada
GTM;GT;Guatemala;Guatemalan
GIN;GN;Guinea;Guinean
GNB;GW;Guinea-Bissau
GUY;GY;Guyana;Guyanese
HTI;HT;Haiti;Haitian
VAT;VA;Holy See;Vatican City
HND;HN;Honduras;Honduran
HUN;HU;Hungary;Hungarian
ISL;IS;Iceland;Icelandic
IND;IN;India;Indian
IDN;ID;Indonesia;Indonesian
IRN;IR;Iran;Islamic Republic of Iran;Iran, Islamic Republic of;Iranian
IRQ;IQ;Iraq;Republic of Iraq;Iraqi
IRL;IE;Ireland;Irish
ISR;IL;Israel;Israeli
ITA;IT;Italy;Italian
JAM;JM;Jamaica;Jamaican
JPN;JP;Japan;Japanese
JOR;JO;Jordan;Hashemite Kingdom of Jordan;Jordanian
KAZ;KZ;Kazakhstan;Kazakh;Kazakhstani
KEN;KE;Kenya;Kenyan
KIR;KI;Kiribati
PRK;KP;Democratic People's Republic of Korea;Korea, North;North Korea;DPRK;North Korean;Korea, Democratic People's Republic of
KOR;KR;Republic of Korea;Korea, South;South Korea;South Korean;Korea, Republic of
KWT;KW;Kuwait;Kuwaiti
KGZ;KG;Kyrgyzstan;Kyrgyz Republic;Kyrgyz
LAO;LA;Lao People's Democratic Republic;Laos;Laotian
LVA;LV;Latvia;Latvian
LBN;LB;Lebanon;Lebanese
LSO;LS;Lesotho
LBR;LR;Liberia;Liberian
LBY;LY;Libya;State of Libya;Libyan Arab Jamahiriya;Libyan
LIE;LI;Liechtenstein
LTU;LT;Lithuania;Lithuanian
LUX;LU;Luxembourg
MDG;MG;Madagascar;Malagasy
MWI;MW;Malawi;Malawian
MYS;MY;Malaysia;Malaysian
MDV;MV;Maldives;Maldivian
MLI;ML;Mali;Malian
MLT;MT;Malta;Maltese
MHL;MH;Marshall Islands
MRT;MR;Mauritania;Mauritanian
MUS;MU;Mauritius;Mauritian
MEX;MX;Mexico;Mexican
FSM;FM;Micronesia;Federated States of Micronesia
MDA;MD;Moldova;Republic of Moldova;Moldovan
MCO;MC;Monaco
MNG;MN;Mongolia;Mongolian
MNE;ME;Montenegro;Montenegrin
MAR;MA;Morocco;Moroccan
MOZ;MZ;Mozambique;Mozambican
MMR;MM;Myanmar;Burma;Burmese
NAM;NA;Namibia;Namibian
NRU;NR;Nauru
NPL;NP;Nepal;Nepalese;Nepali
NLD;NL;Netherlands;Kingdom of the Netherlands;Dutch
NZL;NZ;New Zealand
NIC;NI;Nicaragua;Nicaraguan
NER;NE;Niger;Nigerien
NGA;NG;Nigeria;Nigerian
MKD;MK;North Macedonia;Macedonia;North Macedonia, The Republic of;Macedonia, The Former Yugoslav Republic of;Former Yugoslav Republic of Macedonia;Macedonian
NOR;NO;Norway;Norwegian
OMN;OM;Oman;Omani
PAK;PK;Pakistan;Islamic Republic of Pakistan;Pakistani
PLW;PW;Palau
PSE;PS;Palestine;State of Palestine;Palestinian;Palestinian Territories;West Bank;Gaza
PAN;PA;Panama;Panamanian
PNG;PG;Papua New Guinea
PRY;PY;Paraguay;Paraguayan
PER;PE;Peru;Peruvian
PHL;PH;Philippines;Filipino;Philippine
POL;PL;Poland;Polish
PRT;PT;Portugal;Portuguese
QAT;QA;Qatar;State of Qatar;Qatari
ROU;RO;Romania;Romanian
RUS;RU;Russian Federation;Russia;Russian
RWA;RW;Rwanda;Rwandan;Rwandese
KNA;KN;Saint Kitts and Nevis;St. Kitts and Nevis
LCA;LC;Saint Lucia;St. Lucia
VCT;VC;Saint Vincent and the Grenadines
WSM;WS;Samoa
SMR;SM;San Marino
STP;ST;Sao Tome and Principe;São Tomé and Príncipe
SAU;SA;Saudi Arabia;Kingdom of Saudi Arabia;Saudi Arabian;Saudi
SEN;SN;Senegal;Senegalese
SRB;RS;Serbia;Serbian
SYC;SC;Seychelles
SLE;SL;Sierra Leone;Sierra Leonean
SGP;SG;Singapore;Singaporean
SVK;SK;Slovakia;Slovak Republic;Slovak
SVN;SI;Slovenia;Slovenian
SLB;SB;Solomon Islands
SOM;SO;Somalia;Federal Republic of Somalia;Somali
ZAF;ZA;South Africa;South African
SSD;SS;South Sudan;Republic of South Sudan;South Sudanese
ESP;ES;Spain;Spanish
LKA;LK;Sri Lanka;Sri Lankan
SDN;SD;Sudan;Republic of the Sudan;Sudanese
SUR;SR;Suriname;Surinamese
SWE;SE;Sweden;Swedish
CHE;CH;Switzerland;Swiss
SYR;SY;Syrian Arab Republic;Syria;Syrian
TWN;TW;Taiwan;Taiwan, Province of China;Taiwanese
TJK;TJ;Tajikistan;Tajik
TZA;TZ;United Republic of Tanzania;Tanzania;Tanzanian
THA;TH;Thailand;Thai
TLS;TL;Timor-Leste;East Timor
TGO;TG;Togo;Togolese
TON;TO;Tonga
TTO;TT;Trinidad and Tobago;Trinidadian
TUN;TN;Tunisia;Tunisian
TUR;TR;Turkey;Türkiye;Turkiye;Turkish
TKM;TM;Turkmenistan;Turkmen
TUV;TV;Tuvalu
UGA;UG;Uganda;Ugandan
UKR;UA;Ukraine;Ukrainian
ARE;AE;United Arab Emirates;UAE;Emirati
GBR;GB;United Kingdom of Great Britain and Northern Ireland;United Kingdom;UK;Great Britain;British
USA;US;United States of America;United States;American
URY;UY;Uruguay;Uruguayan
UZB;UZ;Uzbekistan;Uzbek
VUT;VU;Vanuatu
VEN;VE;Venezuela;Bolivarian Republic of Venezuela;Venezuelan
VNM;VN;Viet Nam;Vietnam;Vietnamese
YEM;YE;Yemen;Republic of Yemen;Yemeni
ZMB;ZM;Zambia;Zambian
ZWE;ZW;Zimbabwe;Zimbabwean
RKS;XK;Kosovo;Kosovan;Kosovar
XXA;stateless;stateless person
XXB;refugee
XXC;other refugee
XXX;person of unspecified nationality
UNO;United Nations;United Nations organization
UNA;United Nations specialized agency
UNK;United Nations Interim Administration Mission in Kosovo
EUE;European Union
XOM;Sovereign Military Order of Malta
XPO;Interpol;International Criminal Police Organization
UTO;Utopia
GBD
GBN
GBO
GBP
GBS`
