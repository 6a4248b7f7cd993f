//! Geographic tables of Route 53: countries with continent, name and centre, subdivisions, and
//! local zone groups. The tables are sorted by code and use binary search.
//!
//! The lists and the continents are those of the Developer Guide (values-geo), not those of a
//! database: TR and CY are in Europe, GE and KZ in Asia, and BV, CX, EH and HM are not listed.
//! Names have the older spelling that ListGeoLocations returns. The centres are this project's own,
//! to city level, because AWS publishes none.

use super::{Continent, Coordinates, Country, Subdivision};
use Continent::{
    Africa as AF, Antarctica as AN, Asia as AS, Europe as EU, NorthAmerica as NA, Oceania as OC, SouthAmerica as SA,
};

/// Whether Route 53 lists this country.
pub fn is_country(country: Country) -> bool {
    country_row(country).is_some()
}

/// All countries, by code.
pub fn countries() -> impl Iterator<Item = Country> {
    COUNTRIES.iter().map(|row| Country(*row.code))
}

/// The continent of this country.
pub fn continent_of(country: Country) -> Option<Continent> {
    country_row(country).map(|row| row.continent)
}

/// The country's name in ListGeoLocations.
pub fn country_name(country: Country) -> Option<&'static str> {
    country_row(country).map(|row| row.name)
}

/// The country's geographic centre (for the US that of the contiguous states).
pub fn centroid(country: Country) -> Option<Coordinates> {
    country_row(country).map(|row| at(row.latitude, row.longitude))
}

/// The continent's name in ListGeoLocations.
pub fn continent_name(continent: Continent) -> &'static str {
    match continent {
        Continent::Africa => "Africa",
        Continent::Antarctica => "Antarctica",
        Continent::Asia => "Asia",
        Continent::Europe => "Europe",
        Continent::NorthAmerica => "North America",
        Continent::Oceania => "Oceania",
        Continent::SouthAmerica => "South America",
    }
}

/// Whether Route 53 lists this subdivision: the US states with DC, and the regions of Ukraine.
pub fn is_subdivision(country: Country, subdivision: Subdivision) -> bool {
    subdivision_row(country, subdivision).is_some()
}

/// The subdivisions of a country, by code; none for all but the US and Ukraine.
pub fn subdivisions(country: Country) -> impl Iterator<Item = Subdivision> {
    subdivision_rows(country).iter().filter_map(|row| Subdivision::from_code(row.code))
}

/// The subdivision's name in ListGeoLocations.
pub fn subdivision_name(country: Country, subdivision: Subdivision) -> Option<&'static str> {
    subdivision_row(country, subdivision).map(|row| row.name)
}

/// The subdivision's geographic centre.
pub fn subdivision_centroid(country: Country, subdivision: Subdivision) -> Option<Coordinates> {
    subdivision_row(country, subdivision).map(|row| at(row.latitude, row.longitude))
}

/// The subdivision for an ISO 3166-2 code without the country, as databases have it. Route 53 uses
/// 11 for Crimea and 20 for Sevastopol, where ISO has 43 and 40.
pub fn subdivision_from_iso(country: Country, code: &str) -> Option<Subdivision> {
    let code = match (&country.0, code) {
        (b"UA", "43") => "11",
        (b"UA", "40") => "20",
        _ => code,
    };
    Subdivision::from_code(code).filter(|subdivision| is_subdivision(country, *subdivision))
}

/// The coordinates of a local zone group (API GeoProximityLocation LocalZoneGroup), named by the
/// zone's code without the last letter.
pub fn local_zone_group(name: &str) -> Option<Coordinates> {
    let index = LOCAL_ZONE_GROUPS.binary_search_by(|(group, ..)| (*group).cmp(name)).ok()?;
    let (_, latitude, longitude) = LOCAL_ZONE_GROUPS[index];
    Some(at(latitude, longitude))
}

/// The known local zone groups, by name.
pub fn local_zone_groups() -> impl Iterator<Item = &'static str> {
    LOCAL_ZONE_GROUPS.iter().map(|(name, ..)| *name)
}

struct CountryRow {
    code: &'static [u8; 2],
    continent: Continent,
    name: &'static str,
    latitude: f64,
    longitude: f64,
}

struct SubdivisionRow {
    code: &'static str,
    name: &'static str,
    latitude: f64,
    longitude: f64,
}

fn at(latitude: f64, longitude: f64) -> Coordinates {
    Coordinates { latitude, longitude }
}

fn country_row(country: Country) -> Option<&'static CountryRow> {
    COUNTRIES.binary_search_by(|row| row.code.cmp(&country.0)).ok().map(|index| &COUNTRIES[index])
}

fn subdivision_rows(country: Country) -> &'static [SubdivisionRow] {
    match &country.0 {
        b"US" => US_STATES,
        b"UA" => UA_REGIONS,
        _ => &[],
    }
}

fn subdivision_row(country: Country, subdivision: Subdivision) -> Option<&'static SubdivisionRow> {
    let rows = subdivision_rows(country);
    let code = subdivision.0;
    let padded = |row: &SubdivisionRow| Subdivision::from_code(row.code).map_or([0; 3], |listed| listed.0);
    rows.binary_search_by(|row| padded(row).cmp(&code)).ok().map(|index| &rows[index])
}

macro_rules! country_rows {
    ($($code:literal $continent:ident $name:literal $latitude:literal $longitude:literal;)*) => {
        static COUNTRIES: &[CountryRow] = &[$(CountryRow {
            code: $code, continent: $continent, name: $name, latitude: $latitude, longitude: $longitude,
        },)*];
    };
}

macro_rules! subdivision_rows {
    ($table:ident: $($code:literal $name:literal $latitude:literal $longitude:literal;)*) => {
        static $table: &[SubdivisionRow] = &[$(SubdivisionRow {
            code: $code, name: $name, latitude: $latitude, longitude: $longitude,
        },)*];
    };
}

country_rows! {
    b"AD" EU "Andorra" 42.55 1.58;
    b"AE" AS "United Arab Emirates" 23.91 54.33;
    b"AF" AS "Afghanistan" 33.84 66.03;
    b"AG" NA "Antigua and Barbuda" 17.08 -61.80;
    b"AI" NA "Anguilla" 18.22 -63.06;
    b"AL" EU "Albania" 41.14 20.05;
    b"AM" AS "Armenia" 40.29 44.93;
    b"AO" AF "Angola" -12.29 17.54;
    b"AQ" AN "Antarctica" -80.00 0.00;
    b"AR" SA "Argentina" -35.38 -65.18;
    b"AS" OC "American Samoa" -14.31 -170.72;
    b"AT" EU "Austria" 47.59 14.13;
    b"AU" OC "Australia" -25.73 134.49;
    b"AW" NA "Aruba" 12.52 -69.98;
    b"AX" EU "Åland" 60.21 19.95;
    b"AZ" AS "Azerbaijan" 40.29 47.55;
    b"BA" EU "Bosnia and Herzegovina" 44.17 17.77;
    b"BB" NA "Barbados" 13.18 -59.56;
    b"BD" AS "Bangladesh" 23.87 90.24;
    b"BE" EU "Belgium" 50.64 4.64;
    b"BF" AF "Burkina Faso" 12.27 -1.75;
    b"BG" EU "Bulgaria" 42.77 25.22;
    b"BH" AS "Bahrain" 26.04 50.54;
    b"BI" AF "Burundi" -3.36 29.88;
    b"BJ" AF "Benin" 9.64 2.33;
    b"BL" NA "Saint Barthélemy" 17.90 -62.83;
    b"BM" NA "Bermuda" 32.31 -64.75;
    b"BN" AS "Brunei" 4.52 114.72;
    b"BO" SA "Bolivia" -16.71 -64.69;
    b"BQ" NA "Bonaire" 12.18 -68.26;
    b"BR" SA "Brazil" -10.79 -53.10;
    b"BS" NA "Bahamas" 24.29 -76.63;
    b"BT" AS "Bhutan" 27.41 90.40;
    b"BW" AF "Botswana" -22.18 23.80;
    b"BY" EU "Belarus" 53.53 28.03;
    b"BZ" NA "Belize" 17.20 -88.71;
    b"CA" NA "Canada" 61.36 -98.31;
    b"CC" AS "Cocos [Keeling] Islands" -12.17 96.83;
    b"CD" AF "Congo" -2.88 23.64;
    b"CF" AF "Central African Republic" 6.57 20.47;
    b"CG" AF "Republic of the Congo" -0.84 15.22;
    b"CH" EU "Switzerland" 46.80 8.21;
    b"CI" AF "Ivory Coast" 7.63 -5.57;
    b"CK" OC "Cook Islands" -21.22 -159.79;
    b"CL" SA "Chile" -37.73 -71.38;
    b"CM" AF "Cameroon" 5.69 12.74;
    b"CN" AS "China" 36.56 103.82;
    b"CO" SA "Colombia" 3.91 -73.08;
    b"CR" NA "Costa Rica" 9.98 -84.19;
    b"CU" NA "Cuba" 21.62 -79.02;
    b"CV" AF "Cape Verde" 15.96 -23.96;
    b"CW" NA "Curaçao" 12.20 -68.97;
    b"CY" EU "Cyprus" 34.92 33.00;
    b"CZ" EU "Czech Republic" 49.73 15.31;
    b"DE" EU "Germany" 51.11 10.39;
    b"DJ" AF "Djibouti" 11.75 42.56;
    b"DK" EU "Denmark" 55.98 10.03;
    b"DM" NA "Dominica" 15.44 -61.36;
    b"DO" NA "Dominican Republic" 18.89 -70.51;
    b"DZ" AF "Algeria" 28.16 2.62;
    b"EC" SA "Ecuador" -1.42 -78.75;
    b"EE" EU "Estonia" 58.67 25.54;
    b"EG" AF "Egypt" 26.50 29.86;
    b"ER" AF "Eritrea" 15.36 38.85;
    b"ES" EU "Spain" 40.24 -3.65;
    b"ET" AF "Ethiopia" 8.62 39.60;
    b"FI" EU "Finland" 64.50 26.27;
    b"FJ" OC "Fiji" -17.43 178.00;
    b"FK" SA "Falkland Islands" -51.74 -59.35;
    b"FM" OC "Federated States of Micronesia" 6.88 158.22;
    b"FO" EU "Faroe Islands" 62.05 -6.88;
    b"FR" EU "France" 46.57 2.45;
    b"GA" AF "Gabon" -0.59 11.79;
    b"GB" EU "United Kingdom" 54.12 -2.87;
    b"GD" NA "Grenada" 12.12 -61.68;
    b"GE" AS "Georgia" 42.17 43.51;
    b"GF" SA "French Guiana" 3.92 -53.24;
    b"GG" EU "Guernsey" 49.47 -2.57;
    b"GH" AF "Ghana" 7.95 -1.22;
    b"GI" EU "Gibraltar" 36.14 -5.35;
    b"GL" NA "Greenland" 74.71 -41.34;
    b"GM" AF "Gambia" 13.45 -15.40;
    b"GN" AF "Guinea" 10.44 -10.94;
    b"GP" NA "Guadeloupe" 16.20 -61.53;
    b"GQ" AF "Equatorial Guinea" 1.71 10.34;
    b"GR" EU "Greece" 39.07 22.96;
    b"GS" AN "South Georgia and the South Sandwich Islands" -54.46 -36.43;
    b"GT" NA "Guatemala" 15.69 -90.36;
    b"GU" OC "Guam" 13.44 144.77;
    b"GW" AF "Guinea-Bissau" 12.05 -14.95;
    b"GY" SA "Guyana" 4.79 -58.98;
    b"HK" AS "Hong Kong" 22.40 114.11;
    b"HN" NA "Honduras" 14.83 -86.62;
    b"HR" EU "Croatia" 45.08 16.40;
    b"HT" NA "Haiti" 18.94 -72.69;
    b"HU" EU "Hungary" 47.16 19.40;
    b"ID" AS "Indonesia" -2.22 117.24;
    b"IE" EU "Ireland" 53.18 -8.14;
    b"IL" AS "Israel" 31.46 35.00;
    b"IM" EU "Isle of Man" 54.22 -4.53;
    b"IN" AS "India" 22.89 79.61;
    b"IO" AS "British Indian Ocean Territory" -7.33 72.45;
    b"IQ" AS "Iraq" 33.04 43.74;
    b"IR" AS "Iran" 32.58 54.27;
    b"IS" EU "Iceland" 65.00 -18.57;
    b"IT" EU "Italy" 42.80 12.07;
    b"JE" EU "Jersey" 49.22 -2.13;
    b"JM" NA "Jamaica" 18.16 -77.31;
    b"JO" AS "Hashemite Kingdom of Jordan" 31.25 36.77;
    b"JP" AS "Japan" 37.59 138.03;
    b"KE" AF "Kenya" 0.60 37.80;
    b"KG" AS "Kyrgyzstan" 41.46 74.54;
    b"KH" AS "Cambodia" 12.72 104.91;
    b"KI" OC "Kiribati" 1.42 173.00;
    b"KM" AF "Comoros" -11.88 43.68;
    b"KN" NA "Saint Kitts and Nevis" 17.26 -62.69;
    b"KP" AS "North Korea" 40.15 127.19;
    b"KR" AS "Republic of Korea" 36.39 127.84;
    b"KW" AS "Kuwait" 29.33 47.59;
    b"KY" NA "Cayman Islands" 19.31 -81.25;
    b"KZ" AS "Kazakhstan" 48.16 67.29;
    b"LA" AS "Laos" 18.50 103.74;
    b"LB" AS "Lebanon" 33.92 35.88;
    b"LC" NA "Saint Lucia" 13.89 -60.97;
    b"LI" EU "Liechtenstein" 47.14 9.54;
    b"LK" AS "Sri Lanka" 7.61 80.70;
    b"LR" AF "Liberia" 6.45 -9.32;
    b"LS" AF "Lesotho" -29.58 28.23;
    b"LT" EU "Lithuania" 55.33 23.89;
    b"LU" EU "Luxembourg" 49.77 6.07;
    b"LV" EU "Latvia" 56.85 24.91;
    b"LY" AF "Libya" 27.03 18.01;
    b"MA" AF "Morocco" 31.88 -6.29;
    b"MC" EU "Monaco" 43.74 7.41;
    b"MD" EU "Republic of Moldova" 47.19 28.46;
    b"ME" EU "Montenegro" 42.79 19.24;
    b"MF" NA "Saint Martin" 18.08 -63.06;
    b"MG" AF "Madagascar" -19.37 46.70;
    b"MH" OC "Marshall Islands" 7.10 171.38;
    b"MK" EU "Macedonia" 41.60 21.68;
    b"ML" AF "Mali" 17.35 -3.54;
    b"MM" AS "Myanmar [Burma]" 21.19 96.49;
    b"MN" AS "Mongolia" 46.83 103.05;
    b"MO" AS "Macao" 22.19 113.55;
    b"MP" OC "Northern Mariana Islands" 15.19 145.75;
    b"MQ" NA "Martinique" 14.65 -61.02;
    b"MR" AF "Mauritania" 20.26 -10.35;
    b"MS" NA "Montserrat" 16.74 -62.19;
    b"MT" EU "Malta" 35.92 14.41;
    b"MU" AF "Mauritius" -20.28 57.57;
    b"MV" AS "Maldives" 4.18 73.51;
    b"MW" AF "Malawi" -13.22 34.29;
    b"MX" NA "Mexico" 23.95 -102.52;
    b"MY" AS "Malaysia" 3.79 109.70;
    b"MZ" AF "Mozambique" -17.27 35.53;
    b"NA" AF "Namibia" -22.13 17.21;
    b"NC" OC "New Caledonia" -21.30 165.68;
    b"NE" AF "Niger" 17.42 9.39;
    b"NF" OC "Norfolk Island" -29.04 167.95;
    b"NG" AF "Nigeria" 9.59 8.09;
    b"NI" NA "Nicaragua" 12.85 -85.03;
    b"NL" EU "Netherlands" 52.10 5.28;
    b"NO" EU "Norway" 64.58 12.67;
    b"NP" AS "Nepal" 28.25 83.92;
    b"NR" OC "Nauru" -0.52 166.93;
    b"NU" OC "Niue" -19.05 -169.87;
    b"NZ" OC "New Zealand" -41.81 171.48;
    b"OM" AS "Oman" 20.61 56.09;
    b"PA" NA "Panama" 8.52 -80.12;
    b"PE" SA "Peru" -9.15 -74.38;
    b"PF" OC "French Polynesia" -17.68 -149.41;
    b"PG" OC "Papua New Guinea" -6.46 145.21;
    b"PH" AS "Philippines" 11.78 122.88;
    b"PK" AS "Pakistan" 29.95 69.34;
    b"PL" EU "Poland" 52.13 19.39;
    b"PM" NA "Saint Pierre and Miquelon" 46.92 -56.30;
    b"PN" OC "Pitcairn Islands" -25.07 -130.10;
    b"PR" NA "Puerto Rico" 18.23 -66.47;
    b"PS" AS "Palestine" 31.92 35.20;
    b"PT" EU "Portugal" 39.60 -8.50;
    b"PW" OC "Palau" 7.50 134.58;
    b"PY" SA "Paraguay" -23.23 -58.40;
    b"QA" AS "Qatar" 25.31 51.18;
    b"RE" AF "Réunion" -21.13 55.54;
    b"RO" EU "Romania" 45.85 24.97;
    b"RS" EU "Serbia" 44.22 20.79;
    b"RU" EU "Russia" 61.98 96.69;
    b"RW" AF "Rwanda" -1.99 29.92;
    b"SA" AS "Saudi Arabia" 24.12 44.54;
    b"SB" OC "Solomon Islands" -8.92 159.63;
    b"SC" AF "Seychelles" -4.66 55.48;
    b"SD" AF "Sudan" 15.99 29.94;
    b"SE" EU "Sweden" 62.78 16.75;
    b"SG" AS "Singapore" 1.36 103.82;
    b"SH" AF "Saint Helena" -15.96 -5.71;
    b"SI" EU "Slovenia" 46.12 14.80;
    b"SJ" EU "Svalbard and Jan Mayen" 78.60 17.00;
    b"SK" EU "Slovakia" 48.71 19.48;
    b"SL" AF "Sierra Leone" 8.56 -11.79;
    b"SM" EU "San Marino" 43.94 12.46;
    b"SN" AF "Senegal" 14.37 -14.47;
    b"SO" AF "Somalia" 4.75 45.71;
    b"SR" SA "Suriname" 4.13 -55.91;
    b"SS" AF "South Sudan" 7.31 30.25;
    b"ST" AF "São Tomé and Príncipe" 0.44 6.72;
    b"SV" NA "El Salvador" 13.74 -88.87;
    b"SX" NA "Sint Maarten" 18.04 -63.07;
    b"SY" AS "Syria" 35.03 38.51;
    b"SZ" AF "Swaziland" -26.56 31.48;
    b"TC" NA "Turks and Caicos Islands" 21.80 -71.97;
    b"TD" AF "Chad" 15.33 18.64;
    b"TF" AN "French Southern Territories" -49.25 69.23;
    b"TG" AF "Togo" 8.53 0.96;
    b"TH" AS "Thailand" 15.12 101.00;
    b"TJ" AS "Tajikistan" 38.53 71.01;
    b"TK" OC "Tokelau" -9.17 -171.82;
    b"TL" OC "East Timor" -8.83 125.84;
    b"TM" AS "Turkmenistan" 39.12 59.37;
    b"TN" AF "Tunisia" 34.12 9.55;
    b"TO" OC "Tonga" -21.18 -175.20;
    b"TR" EU "Turkey" 39.06 35.17;
    b"TT" NA "Trinidad and Tobago" 10.46 -61.27;
    b"TV" OC "Tuvalu" -8.52 179.20;
    b"TW" AS "Taiwan" 23.75 120.95;
    b"TZ" AF "Tanzania" -6.27 34.81;
    b"UA" EU "Ukraine" 49.00 31.38;
    b"UG" AF "Uganda" 1.27 32.37;
    b"UM" OC "U.S. Minor Outlying Islands" 19.30 166.63;
    b"US" NA "United States" 39.83 -98.58;
    b"UY" SA "Uruguay" -32.80 -56.02;
    b"UZ" AS "Uzbekistan" 41.76 63.14;
    b"VA" EU "Vatican City" 41.90 12.45;
    b"VC" NA "Saint Vincent and the Grenadines" 13.25 -61.19;
    b"VE" SA "Venezuela" 7.12 -66.18;
    b"VG" NA "British Virgin Islands" 18.43 -64.62;
    b"VI" NA "U.S. Virgin Islands" 18.34 -64.90;
    b"VN" AS "Vietnam" 16.65 106.30;
    b"VU" OC "Vanuatu" -16.23 167.69;
    b"WF" OC "Wallis and Futuna" -13.29 -176.20;
    b"WS" OC "Samoa" -13.75 -172.16;
    b"XK" EU "Kosovo" 42.57 20.87;
    b"YE" AS "Yemen" 15.91 47.59;
    b"YT" AF "Mayotte" -12.83 45.15;
    b"ZA" AF "South Africa" -29.00 25.08;
    b"ZM" AF "Zambia" -13.46 27.77;
    b"ZW" AF "Zimbabwe" -19.00 29.85;
}

subdivision_rows! {
    US_STATES:
    "AK" "Alaska" 64.07 -152.28;
    "AL" "Alabama" 32.74 -86.84;
    "AR" "Arkansas" 34.80 -92.44;
    "AZ" "Arizona" 34.27 -111.66;
    "CA" "California" 37.18 -119.47;
    "CO" "Colorado" 39.00 -105.55;
    "CT" "Connecticut" 41.62 -72.73;
    "DC" "District of Columbia" 38.91 -77.01;
    "DE" "Delaware" 38.99 -75.51;
    "FL" "Florida" 28.63 -82.45;
    "GA" "Georgia" 32.64 -83.44;
    "HI" "Hawaii" 20.29 -156.37;
    "IA" "Iowa" 42.07 -93.50;
    "ID" "Idaho" 44.35 -114.61;
    "IL" "Illinois" 40.04 -89.20;
    "IN" "Indiana" 39.89 -86.28;
    "KS" "Kansas" 38.49 -98.38;
    "KY" "Kentucky" 37.53 -85.30;
    "LA" "Louisiana" 31.07 -92.00;
    "MA" "Massachusetts" 42.26 -71.81;
    "MD" "Maryland" 39.06 -76.79;
    "ME" "Maine" 45.37 -69.24;
    "MI" "Michigan" 44.35 -85.41;
    "MN" "Minnesota" 46.28 -94.31;
    "MO" "Missouri" 38.36 -92.46;
    "MS" "Mississippi" 32.74 -89.67;
    "MT" "Montana" 47.05 -109.63;
    "NC" "North Carolina" 35.56 -79.39;
    "ND" "North Dakota" 47.45 -100.47;
    "NE" "Nebraska" 41.54 -99.80;
    "NH" "New Hampshire" 43.68 -71.58;
    "NJ" "New Jersey" 40.19 -74.67;
    "NM" "New Mexico" 34.41 -106.11;
    "NV" "Nevada" 39.33 -116.63;
    "NY" "New York" 42.95 -75.53;
    "OH" "Ohio" 40.29 -82.79;
    "OK" "Oklahoma" 35.59 -97.49;
    "OR" "Oregon" 43.93 -120.56;
    "PA" "Pennsylvania" 40.88 -77.80;
    "RI" "Rhode Island" 41.68 -71.56;
    "SC" "South Carolina" 33.92 -80.90;
    "SD" "South Dakota" 44.44 -100.23;
    "TN" "Tennessee" 35.86 -86.35;
    "TX" "Texas" 31.48 -99.33;
    "UT" "Utah" 39.31 -111.67;
    "VA" "Virginia" 37.52 -78.85;
    "VT" "Vermont" 44.07 -72.67;
    "WA" "Washington" 47.38 -120.45;
    "WI" "Wisconsin" 44.62 -89.99;
    "WV" "West Virginia" 38.64 -80.62;
    "WY" "Wyoming" 43.00 -107.55;
}

subdivision_rows! {
    UA_REGIONS:
    "05" "Vinnytska oblast" 48.93 28.69;
    "07" "Volynska oblast" 51.10 24.90;
    "09" "Luhanska oblast" 48.98 39.03;
    "11" "Crimea" 45.30 34.40;
    "12" "Dnipropetrovska oblast" 48.40 34.95;
    "14" "Donetska oblast" 48.05 37.75;
    "18" "Zhytomyrska oblast" 50.65 28.52;
    "20" "Sevastopol" 44.60 33.53;
    "21" "Zakarpatska oblast" 48.41 23.29;
    "23" "Zaporizka oblast" 47.28 35.75;
    "26" "Ivano-Frankivska oblast" 48.67 24.57;
    "30" "Kyiv" 50.45 30.52;
    "32" "Kyivska oblast" 50.30 30.60;
    "35" "Kirovohradska oblast" 48.46 31.95;
    "46" "Lvivska oblast" 49.73 23.93;
    "48" "Mykolaivska oblast" 47.43 31.80;
    "51" "Odeska oblast" 46.80 30.20;
    "53" "Poltavska oblast" 49.65 33.78;
    "56" "Rivnenska oblast" 51.00 26.37;
    "59" "Sumska oblast" 51.00 34.00;
    "61" "Ternopilska oblast" 49.40 25.56;
    "63" "Kharkivska oblast" 49.60 36.55;
    "65" "Khersonska oblast" 46.60 33.50;
    "68" "Khmelnytska oblast" 49.50 26.93;
    "71" "Cherkaska oblast" 49.20 31.35;
    "74" "Chernihivska oblast" 51.34 32.06;
    "77" "Chernivetska oblast" 48.28 26.00;
}

// Name, latitude and longitude of the city that each is named after.
static LOCAL_ZONE_GROUPS: &[(&str, f64, f64)] = &[
    ("af-south-1-los-1", 6.52, 3.38),
    ("ap-northeast-1-tpe-1", 25.03, 121.57),
    ("ap-south-1-ccu-1", 22.57, 88.36),
    ("ap-south-1-del-1", 28.61, 77.21),
    ("ap-southeast-1-bkk-1", 13.76, 100.50),
    ("ap-southeast-1-mnl-1", 14.60, 120.98),
    ("ap-southeast-2-akl-1", -36.85, 174.76),
    ("ap-southeast-2-per-1", -31.95, 115.86),
    ("eu-central-1-ham-1", 53.55, 9.99),
    ("eu-central-1-waw-1", 52.23, 21.01),
    ("eu-north-1-cph-1", 55.68, 12.57),
    ("eu-north-1-hel-1", 60.17, 24.94),
    ("me-south-1-mct-1", 23.59, 58.41),
    ("us-east-1-atl-1", 33.75, -84.39),
    ("us-east-1-atl-2", 33.75, -84.39),
    ("us-east-1-bos-1", 42.36, -71.06),
    ("us-east-1-bue-1", -34.60, -58.38),
    ("us-east-1-chi-1", 41.88, -87.63),
    ("us-east-1-chi-2", 41.88, -87.63),
    ("us-east-1-dfw-1", 32.78, -96.80),
    ("us-east-1-dfw-2", 32.78, -96.80),
    ("us-east-1-iah-1", 29.76, -95.37),
    ("us-east-1-iah-2", 29.76, -95.37),
    ("us-east-1-lim-1", -12.05, -77.04),
    ("us-east-1-mci-1", 39.10, -94.58),
    ("us-east-1-mia-1", 25.76, -80.19),
    ("us-east-1-mia-2", 25.76, -80.19),
    ("us-east-1-msp-1", 44.98, -93.27),
    ("us-east-1-nyc-1", 40.71, -74.01),
    ("us-east-1-nyc-2", 40.71, -74.01),
    ("us-east-1-phl-1", 39.95, -75.17),
    ("us-east-1-qro-1", 20.59, -100.39),
    ("us-east-1-scl-1", -33.45, -70.67),
    ("us-west-2-den-1", 39.74, -104.99),
    ("us-west-2-hnl-1", 21.31, -157.86),
    ("us-west-2-las-1", 36.17, -115.14),
    ("us-west-2-lax-1", 34.05, -118.24),
    ("us-west-2-pdx-1", 45.52, -122.68),
    ("us-west-2-phx-1", 33.45, -112.07),
    ("us-west-2-phx-2", 33.45, -112.07),
    ("us-west-2-sea-1", 47.61, -122.33),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Region;

    /// The table of the Developer Guide (values-geo), continent first.
    const GUIDE: &str = "
AF AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG ER ET GA GH GM GN GQ GW KE KM LR LS LY MA MG ML MR MU MW MZ NA NE NG RE RW SC SD SH SL SN SO SS ST SZ TD TG TN TZ UG YT ZA ZM ZW
AN AQ GS TF
AS AE AF AM AZ BD BH BN BT CC CN GE HK ID IL IN IO IQ IR JO JP KG KH KP KR KW KZ LA LB LK MM MN MO MV MY NP OM PH PK PS QA SA SG SY TH TJ TM TW UZ VN YE
EU AD AL AT AX BA BE BG BY CH CY CZ DE DK EE ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE LI LT LU LV MC MD ME MK MT NL NO PL PT RO RS RU SE SI SJ SK SM TR UA VA XK
NA AG AI AW BB BL BM BQ BS BZ CA CR CU CW DM DO GD GL GP GT HN HT JM KN KY LC MF MQ MS MX NI PA PM PR SV SX TC TT US VC VG VI
OC AS AU CK FJ FM GU KI MH MP NC NF NR NU NZ PF PG PN PW SB TK TL TO TV UM VU WF WS
SA AR BO BR CL CO EC FK GF GY PE PY SR UY VE
";

    fn country(code: &str) -> Country {
        Country::from_code(code).unwrap()
    }

    fn in_range(place: Coordinates) -> bool {
        (-90.0..=90.0).contains(&place.latitude) && (-180.0..=180.0).contains(&place.longitude)
    }

    #[test]
    fn every_country_of_the_guide_is_listed_once_under_its_continent() {
        let mut seen = 0;
        for line in GUIDE.trim().lines() {
            let mut codes = line.split(' ');
            let continent = Continent::from_code(codes.next().unwrap()).unwrap();
            for code in codes {
                assert_eq!(continent_of(country(code)), Some(continent), "{code}");
                seen += 1;
            }
        }
        assert_eq!(seen, COUNTRIES.len());
        assert!(COUNTRIES.is_sorted_by(|a, b| a.code < b.code));
    }

    #[test]
    fn countries_without_addresses_are_not_listed() {
        assert!(["BV", "CX", "EH", "HM", "ZZ"].iter().all(|code| !is_country(country(code))));
    }

    #[test]
    fn every_region_lies_on_a_continent_and_in_a_listed_subdivision() {
        for region in Region::all() {
            assert!(continent_of(region.country()).is_some(), "{region}");
            assert!(region.subdivision().is_none_or(|state| is_subdivision(region.country(), state)), "{region}");
        }
    }

    #[test]
    fn every_centre_is_on_the_globe() {
        assert!(countries().all(|code| centroid(code).is_some_and(in_range)));
        for code in ["US", "UA"].map(country) {
            assert!(subdivisions(code).all(|part| subdivision_centroid(code, part).is_some_and(in_range)));
        }
        assert!(local_zone_groups().all(|group| local_zone_group(group).is_some_and(in_range)));
    }

    #[test]
    fn subdivisions_are_fifty_states_with_dc_and_the_regions_of_ukraine() {
        assert_eq!(subdivisions(country("US")).count(), 51);
        assert_eq!(subdivisions(country("UA")).count(), 27);
        assert_eq!(subdivisions(country("DE")).count(), 0);
        let california = Subdivision::from_code("CA").unwrap();
        assert!(is_subdivision(country("US"), california));
        assert!(!is_subdivision(country("CA"), california));
        assert_eq!(subdivision_name(country("UA"), Subdivision::from_code("30").unwrap()), Some("Kyiv"));
        assert!(subdivision_centroid(country("US"), Subdivision::from_code("PR").unwrap()).is_none());
        for code in ["US", "UA"].map(country) {
            assert!(subdivision_rows(code).is_sorted_by(|a, b| a.code < b.code));
        }
    }

    #[test]
    fn iso_codes_of_crimea_and_sevastopol_become_those_of_route_53() {
        assert_eq!(subdivision_from_iso(country("UA"), "43"), Subdivision::from_code("11"));
        assert_eq!(subdivision_from_iso(country("UA"), "40"), Subdivision::from_code("20"));
        assert_eq!(subdivision_from_iso(country("US"), "CA"), Subdivision::from_code("CA"));
        assert_eq!(subdivision_from_iso(country("GB"), "ENG"), None);
    }

    #[test]
    fn local_zone_groups_are_found_by_name() {
        assert!(LOCAL_ZONE_GROUPS.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(local_zone_group("us-west-2-den-1").unwrap().latitude, 39.74);
        assert!(local_zone_group("us-west-2-den-1a").is_none());
    }

    #[test]
    fn names_are_those_of_list_geo_locations() {
        assert_eq!(country_name(country("MM")), Some("Myanmar [Burma]"));
        assert_eq!(country_name(country("ZZ")), None);
        assert_eq!(continent_name(Continent::NorthAmerica), "North America");
    }
}
