//! Points on the globe as unit vectors, and the distance between them.

use crate::model::Coordinates;

/// The mean radius of the Earth in km (IUGG, R1). The Earth is not a sphere: distances are right to
/// half a percent.
const EARTH_RADIUS_KM: f64 = 6371.0088;

/// A point on the globe: a vector of length one from its centre, so that a distance needs no sine
/// or cosine of the coordinates at query time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point([f64; 3]);

impl From<Coordinates> for Point {
    fn from(Coordinates { latitude, longitude }: Coordinates) -> Point {
        let (latitude, longitude) = (latitude.to_radians(), longitude.to_radians());
        Point([latitude.cos() * longitude.cos(), latitude.cos() * longitude.sin(), latitude.sin()])
    }
}

/// Precise to a metre: seven digits for each component of the vector.
impl From<Point> for [f32; 3] {
    fn from(Point(vector): Point) -> [f32; 3] {
        vector.map(|part| part as f32)
    }
}

impl From<[f32; 3]> for Point {
    #[inline]
    fn from(vector: [f32; 3]) -> Point {
        Point(vector.map(f64::from))
    }
}

impl Point {
    /// Latitude and longitude in degrees, rounded to a hundredth, for display.
    pub fn coordinates(&self) -> Coordinates {
        let Point([x, y, z]) = *self;
        let rounded = |radians: f64| (radians.to_degrees() * 100.0).round() / 100.0;
        Coordinates { latitude: rounded(z.clamp(-1.0, 1.0).asin()), longitude: rounded(y.atan2(x)) }
    }

    /// The same point with length one to the last digit. A vector of seven digits is less exact.
    #[must_use]
    pub fn normalized(&self) -> Point {
        let length = self.length();
        Point(self.0.map(|part| part / length))
    }

    /// The great-circle distance in km: 0 to about 20 015.
    pub fn distance_km(&self, other: &Point) -> f64 {
        // The arc cosine of the dot product alone loses all digits for points close together.
        self.cross(other).length().atan2(self.dot(other)) * EARTH_RADIUS_KM
    }

    /// The square of the straight line through the Earth, in Earth radii: 0 to 4. It grows with the
    /// distance, so it orders points by distance at a fraction of the cost.
    pub fn chord_squared(&self, other: &Point) -> f64 {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        let (a, b, c) = (a - x, b - y, c - z);
        a * a + b * b + c * c
    }

    /// The angle in radians between two points of length one that are this `chord_squared` apart: 0
    /// to π, precise to 4e-8 (a quarter of a metre on the globe), and exactly 0 for 0. It needs one
    /// or two square roots, while the distance needs an arc tangent.
    pub fn angle(chord_squared: f64) -> f64 {
        /// Up to here the series of the arc sine is as precise.
        const NEAR: f64 = 0.25;
        /// Coefficients of x/2, x³/2³, x⁵/2⁵… in twice the arc sine of half the chord.
        const SERIES: [f64; 6] = [1.0, 1.0 / 24.0, 3.0 / 640.0, 5.0 / 7168.0, 35.0 / 294_912.0, 63.0 / 2_883_584.0];
        /// Abramowitz and Stegun, Handbook of Mathematical Functions, 4.4.46.
        const FAR: [f64; 8] = [
            1.570_796_305_0,
            -0.214_598_801_6,
            0.088_978_987_4,
            -0.050_174_304_6,
            0.030_891_881_0,
            -0.017_088_125_6,
            0.006_670_090_1,
            -0.001_262_491_1,
        ];
        let chord = chord_squared.sqrt();
        if chord_squared <= NEAR {
            return chord * polynomial(SERIES, chord_squared);
        }
        let half = (chord / 2.0).min(1.0);
        std::f64::consts::PI - 2.0 * (1.0 - half).sqrt() * polynomial(FAR, half)
    }

    fn dot(&self, other: &Point) -> f64 {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        a * x + b * y + c * z
    }

    fn cross(&self, other: &Point) -> Point {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        Point([b * z - c * y, c * x - a * z, a * y - b * x])
    }

    fn length(&self) -> f64 {
        self.dot(self).sqrt()
    }
}

/// Evaluates a polynomial by Horner's rule, with coefficients from the constant on.
fn polynomial<const N: usize>(coefficients: [f64; N], x: f64) -> f64 {
    coefficients.into_iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Region;

    fn region(name: &str) -> Point {
        Region::from_name(name).unwrap().coordinates().into()
    }

    fn at(latitude: f64, longitude: f64) -> Point {
        Coordinates { latitude, longitude }.into()
    }

    fn check(a: Point, b: Point, km: f64, tolerance: f64) {
        let distance = a.distance_km(&b);
        assert!((distance - km).abs() <= tolerance, "{distance} is not {km}");
    }

    #[test]
    fn known_distances_come_out() {
        check(region("eu-central-1"), region("eu-west-1"), 1088.0, 3.0);
        check(region("eu-central-1"), region("us-east-1"), 6550.0, 30.0);
        check(region("eu-west-2"), region("ap-southeast-2"), 16994.0, 40.0);
        check(at(48.8566, 2.3522), at(51.5074, -0.1278), 343.6, 1.0);
        check(at(0.0, 0.0), at(0.0, 1.0), 111.195, 0.001);
    }

    #[test]
    fn near_points_keep_their_distance() {
        check(at(52.52, 13.40), at(52.52, 13.40), 0.0, 1e-9);
        check(at(10.0, 20.0), at(10.00001, 20.0), 0.001_112, 1e-6);
    }

    #[test]
    fn antipodes_are_half_the_circumference_apart() {
        check(at(90.0, 0.0), at(-90.0, 0.0), 20_015.115, 0.01);
        check(at(0.0, 0.0), at(0.0, 180.0), 20_015.115, 0.01);
        check(at(40.0, -75.0), at(-40.0, 105.0), 20_015.115, 0.01);
    }

    #[test]
    fn angles_are_right_on_both_sides_of_where_the_series_ends() {
        assert_eq!(Point::angle(0.0).to_bits(), 0);
        for chord_squared in [0.249_999_999, 0.25, 0.250_000_001, 3.999_999, 4.0] {
            let exact = 2.0 * (f64::sqrt(chord_squared) / 2.0).asin();
            assert!((Point::angle(chord_squared) - exact).abs() < 4.1e-8, "{chord_squared}");
        }
    }

    #[test]
    fn the_date_line_is_no_wall() {
        check(at(0.0, 179.5), at(0.0, -179.5), 111.195, 0.001);
    }

    fn anywhere() -> impl Strategy<Value = Point> {
        (-90.0..=90.0, -180.0..=180.0).prop_map(|(latitude, longitude)| at(latitude, longitude))
    }

    proptest! {
        #[test]
        fn distance_is_a_metric(a in anywhere(), b in anywhere(), c in anywhere()) {
            prop_assert!(a.distance_km(&a) < 1e-6);
            prop_assert!((a.distance_km(&b) - b.distance_km(&a)).abs() < 1e-6);
            prop_assert!((0.0..20_015.2).contains(&a.distance_km(&b)));
            prop_assert!(a.distance_km(&c) <= a.distance_km(&b) + b.distance_km(&c) + 1e-6);
        }

        #[test]
        fn an_angle_is_a_distance(a in anywhere(), b in anywhere(), near in 0.0..1e-3f64) {
            let from_chord = |a: Point, b: Point| Point::angle(a.chord_squared(&b)) * EARTH_RADIUS_KM;
            prop_assert!((from_chord(a, b) - a.distance_km(&b)).abs() < 4e-4);
            let kept = Point::from(<[f32; 3]>::from(a)).normalized();
            prop_assert!((from_chord(kept, b) - a.distance_km(&b)).abs() < 1e-3);
            let Coordinates { latitude, longitude } = a.coordinates();
            let (a, b) = (at(latitude, longitude), at(latitude * (1.0 - near), longitude));
            prop_assert!((from_chord(a, b) - a.distance_km(&b)).abs() < 4e-4);
        }

        #[test]
        fn the_shorter_chord_is_the_shorter_distance(a in anywhere(), b in anywhere(), c in anywhere()) {
            prop_assume!((a.distance_km(&b) - a.distance_km(&c)).abs() > 1e-3);
            prop_assert_eq!(a.chord_squared(&b) < a.chord_squared(&c), a.distance_km(&b) < a.distance_km(&c));
        }
    }
}
