//! The AWS services that aliases route to, and the ids of their hosted zones.
//!
//! AWS publishes the ids in the "endpoints and quotas" pages of its General Reference. A service
//! has one hosted zone in each region, or one for all.

use super::{HostedZoneId, Name, RecordType};

/// A service whose resources an alias can target (API AliasTarget).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AliasService {
    /// An Application Load Balancer.
    ApplicationLoadBalancer,
    /// A Classic Load Balancer. It has the hosted zones of Application Load Balancers.
    ClassicLoadBalancer,
    /// A Network Load Balancer.
    NetworkLoadBalancer,
    /// An Elastic Beanstalk environment whose name has a region.
    ElasticBeanstalk,
    /// A CloudFront distribution. Edge-optimized APIs of API Gateway and AppSync have its hosted
    /// zone.
    CloudFront,
    /// A Global Accelerator.
    GlobalAccelerator,
    /// An S3 bucket that is a website.
    S3Website,
    /// A regional API of API Gateway.
    ApiGateway,
    /// An interface VPC endpoint.
    VpcEndpoint,
    /// An AppSync API.
    AppSync,
    /// An App Runner service.
    AppRunner,
    /// A service of VPC Lattice.
    VpcLattice,
    /// An OpenSearch domain.
    OpenSearch,
}

/// What `EvaluateTargetHealth` means for the resources of a service (API AliasTarget).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetHealth {
    /// The alias has the health of its target.
    Evaluated,
    /// It is allowed and changes nothing: the service is highly available.
    NoEffect,
    /// It must be false.
    Refused,
}

impl AliasService {
    /// All of them.
    pub const ALL: [AliasService; 13] = [
        AliasService::ApplicationLoadBalancer,
        AliasService::ClassicLoadBalancer,
        AliasService::NetworkLoadBalancer,
        AliasService::ElasticBeanstalk,
        AliasService::CloudFront,
        AliasService::GlobalAccelerator,
        AliasService::S3Website,
        AliasService::ApiGateway,
        AliasService::VpcEndpoint,
        AliasService::AppSync,
        AliasService::AppRunner,
        AliasService::VpcLattice,
        AliasService::OpenSearch,
    ];

    /// Its word in zone files.
    pub const fn word(self) -> &'static str {
        match self {
            AliasService::ApplicationLoadBalancer => "application_load_balancer",
            AliasService::ClassicLoadBalancer => "classic_load_balancer",
            AliasService::NetworkLoadBalancer => "network_load_balancer",
            AliasService::ElasticBeanstalk => "elastic_beanstalk",
            AliasService::CloudFront => "cloudfront",
            AliasService::GlobalAccelerator => "global_accelerator",
            AliasService::S3Website => "s3_website",
            AliasService::ApiGateway => "api_gateway",
            AliasService::VpcEndpoint => "vpc_endpoint",
            AliasService::AppSync => "appsync",
            AliasService::AppRunner => "app_runner",
            AliasService::VpcLattice => "vpc_lattice",
            AliasService::OpenSearch => "opensearch",
        }
    }

    /// The words of all of them.
    pub const WORDS: [&'static str; 13] = {
        let (mut words, mut at) = ([""; 13], 0);
        while at < words.len() {
            words[at] = AliasService::ALL[at].word();
            at += 1;
        }
        words
    };

    /// The service with this word.
    pub fn from_word(word: &str) -> Option<AliasService> {
        AliasService::ALL.into_iter().find(|service| service.word() == word)
    }

    /// The service that has this hosted zone; `None` if no published zone has this id.
    pub fn of_zone(id: &HostedZoneId) -> Option<AliasService> {
        AliasService::ALL.into_iter().find(|service| service.has_zone(id))
    }

    /// Whether this is a published hosted zone of the service.
    pub fn has_zone(self, id: &HostedZoneId) -> bool {
        self.zones().iter().any(|(_, known)| *known == id.0)
    }

    /// The published hosted zone of a resource with this DNS name.
    pub fn zone_of(self, name: &Name) -> Option<HostedZoneId> {
        let zone = self.zones().iter().find(|(region, _)| self.has_name(region, name));
        zone.map(|(_, id)| HostedZoneId((*id).to_owned()))
    }

    /// The published hosted zone of the resource with this DNS name, whose service follows from the
    /// name.
    pub fn published_zone_of(name: &Name) -> Option<HostedZoneId> {
        AliasService::ALL.into_iter().find_map(|service| service.zone_of(name))
    }

    /// The published hosted zone of the service in a region.
    pub fn zone_in(self, region: &str) -> Option<HostedZoneId> {
        let zone = self.zones().iter().find(|(known, _)| *known == region);
        zone.map(|(_, id)| HostedZoneId((*id).to_owned()))
    }

    /// Whether a DNS name lies within this published hosted zone, as the names of its resources do.
    pub fn zone_holds(id: &HostedZoneId, name: &Name) -> bool {
        AliasService::ALL.into_iter().any(|service| {
            let mut zones = service.zones().iter().filter(|(_, known)| *known == id.0);
            zones.any(|(region, _)| service.has_name(region, name))
        })
    }

    /// What `EvaluateTargetHealth` means for its resources.
    pub fn target_health(self) -> TargetHealth {
        match self {
            AliasService::ApplicationLoadBalancer
            | AliasService::ClassicLoadBalancer
            | AliasService::NetworkLoadBalancer
            | AliasService::ElasticBeanstalk => TargetHealth::Evaluated,
            AliasService::CloudFront => TargetHealth::Refused,
            AliasService::GlobalAccelerator
            | AliasService::S3Website
            | AliasService::ApiGateway
            | AliasService::VpcEndpoint
            | AliasService::AppSync
            | AliasService::AppRunner
            | AliasService::VpcLattice
            | AliasService::OpenSearch => TargetHealth::NoEffect,
        }
    }

    /// Whether an alias of this type can target its resources (API ResourceRecordSet Type). A
    /// CloudFront distribution also has HTTPS records.
    pub fn has_type(self, record_type: RecordType) -> bool {
        match record_type {
            RecordType::A | RecordType::Aaaa => true,
            RecordType::Https => self == AliasService::CloudFront,
            _ => false,
        }
    }

    /// Whether the resources of the service in a region have such a name.
    fn has_name(self, region: &str, name: &Name) -> bool {
        self.domains().iter().any(|domain| {
            let mut domain = domain.replace("REGION", region);
            if region.starts_with("cn-") && domain.ends_with(".amazonaws.com") {
                domain.push_str(".cn");
            }
            Name::parse(&domain).is_ok_and(|domain| name.is_within(&domain))
        })
    }

    /// The domains of the DNS names of its resources.
    fn domains(self) -> &'static [&'static str] {
        match self {
            AliasService::ApplicationLoadBalancer | AliasService::ClassicLoadBalancer => &["REGION.elb.amazonaws.com"],
            AliasService::NetworkLoadBalancer => &["elb.REGION.amazonaws.com"],
            AliasService::ElasticBeanstalk => &["REGION.elasticbeanstalk.com"],
            AliasService::CloudFront | AliasService::AppSync => &["cloudfront.net"],
            AliasService::GlobalAccelerator => &["awsglobalaccelerator.com"],
            AliasService::S3Website => &["s3-website-REGION.amazonaws.com", "s3-website.REGION.amazonaws.com"],
            AliasService::ApiGateway => &["execute-api.REGION.amazonaws.com"],
            AliasService::VpcEndpoint => &["REGION.vpce.amazonaws.com"],
            AliasService::AppRunner => &["REGION.awsapprunner.com"],
            AliasService::VpcLattice | AliasService::OpenSearch => &[],
        }
    }

    /// Its regions and hosted zones. AppSync has those of CloudFront; the zones of VPC Lattice and
    /// OpenSearch are not published, each resource states its own.
    fn zones(self) -> &'static [(&'static str, &'static str)] {
        match self {
            AliasService::ApplicationLoadBalancer | AliasService::ClassicLoadBalancer => LOAD_BALANCERS,
            AliasService::NetworkLoadBalancer => NETWORK_LOAD_BALANCERS,
            AliasService::ElasticBeanstalk => ELASTIC_BEANSTALK,
            AliasService::CloudFront | AliasService::AppSync => CLOUDFRONT,
            AliasService::GlobalAccelerator => GLOBAL_ACCELERATOR,
            AliasService::S3Website => S3_WEBSITE,
            AliasService::ApiGateway => API_GATEWAY,
            AliasService::VpcEndpoint => VPC_ENDPOINT,
            AliasService::AppRunner => APP_RUNNER,
            AliasService::VpcLattice | AliasService::OpenSearch => &[],
        }
    }
}

/// For all regions (API AliasTarget HostedZoneId).
const CLOUDFRONT: &[(&str, &str)] = &[("global", "Z2FDTNDATAQYW2")];
const GLOBAL_ACCELERATOR: &[(&str, &str)] = &[("global", "Z2BJ6XQ5FK7U4H")];

/// General Reference, "Elastic Load Balancing endpoints and quotas": Application and Classic.
const LOAD_BALANCERS: &[(&str, &str)] = &[
    ("af-south-1", "Z268VQBMOI5EKX"),
    ("ap-east-1", "Z3DQVH9N71FHZ0"),
    ("ap-northeast-1", "Z14GRHDCWA56QT"),
    ("ap-northeast-2", "ZWKZPGTI48KDX"),
    ("ap-northeast-3", "Z5LXEXXYW11ES"),
    ("ap-south-1", "ZP97RAFLXTNZK"),
    ("ap-south-2", "Z0173938T07WNTVAEPZN"),
    ("ap-southeast-1", "Z1LMS91P8CMLE5"),
    ("ap-southeast-2", "Z1GM3OXH4ZPM65"),
    ("ap-southeast-3", "Z08888821HLRG5A9ZRTER"),
    ("ap-southeast-4", "Z09517862IB2WZLPXG76F"),
    ("ap-southeast-5", "Z06010284QMVVW7WO5J"),
    ("ap-southeast-7", "Z0390008CMBRTHFGWBCB"),
    ("ca-central-1", "ZQSVJUPU6J1EY"),
    ("ca-west-1", "Z06473681N0SF6OS049SD"),
    ("cn-north-1", "Z1GDH35T77C1KE"),
    ("cn-northwest-1", "ZM7IZAIOVVDZF"),
    ("eu-central-1", "Z215JYRZR1TBD5"),
    ("eu-central-2", "Z06391101F2ZOEP8P5EB3"),
    ("eu-north-1", "Z23TAZ6LKFMNIO"),
    ("eu-south-1", "Z3ULH7SSC9OV64"),
    ("eu-south-2", "Z0956581394HF5D5LXGAP"),
    ("eu-west-1", "Z32O12XQLNTSW2"),
    ("eu-west-2", "ZHURV8PSTC4K8"),
    ("eu-west-3", "Z3Q77PNBQS71R4"),
    ("il-central-1", "Z09170902867EHPV2DABU"),
    ("me-central-1", "Z08230872XQRWHG2XF6I"),
    ("me-south-1", "ZS929ML54UICD"),
    ("mx-central-1", "Z023552324OKD1BB28BH5"),
    ("sa-east-1", "Z2P70J7HTTTPLU"),
    ("us-east-1", "Z35SXDOTRQ7X7K"),
    ("us-east-2", "Z3AADJGX6KTTL2"),
    ("us-gov-east-1", "Z166TLBEWOO7G0"),
    ("us-gov-west-1", "Z33AYJ8TM3BH4J"),
    ("us-west-1", "Z368ELLRRE2KJ0"),
    ("us-west-2", "Z1H1FL5HABSF5"),
];

/// The same page: Network Load Balancers.
const NETWORK_LOAD_BALANCERS: &[(&str, &str)] = &[
    ("af-south-1", "Z203XCE67M25HM"),
    ("ap-east-1", "Z12Y7K3UBGUAD1"),
    ("ap-northeast-1", "Z31USIVHYNEOWT"),
    ("ap-northeast-2", "ZIBE1TIR4HY56"),
    ("ap-northeast-3", "Z1GWIQ4HH19I5X"),
    ("ap-south-1", "ZVDDRBQ08TROA"),
    ("ap-south-2", "Z0711778386UTO08407HT"),
    ("ap-southeast-1", "ZKVM4W9LS7TM"),
    ("ap-southeast-2", "ZCT6FZBF4DROD"),
    ("ap-southeast-3", "Z01971771FYVNCOVWJU1G"),
    ("ap-southeast-4", "Z01156963G8MIIL7X90IV"),
    ("ap-southeast-5", "Z026317210H9ACVTRO6FB"),
    ("ap-southeast-7", "Z054363131YWATEMWRG5L"),
    ("ca-central-1", "Z2EPGBW3API2WT"),
    ("ca-west-1", "Z02754302KBB00W2LKWZ9"),
    ("cn-north-1", "Z3QFB96KMJ7ED6"),
    ("cn-northwest-1", "ZQEIKTCZ8352D"),
    ("eu-central-1", "Z3F0SRJ5LGBH90"),
    ("eu-central-2", "Z02239872DOALSIDCX66S"),
    ("eu-north-1", "Z1UDT6IFJ4EJM"),
    ("eu-south-1", "Z23146JA1KNAFP"),
    ("eu-south-2", "Z1011216NVTVYADP1SSV"),
    ("eu-west-1", "Z2IFOLAFXWLO4F"),
    ("eu-west-2", "ZD4D7Y8KGAS4G"),
    ("eu-west-3", "Z1CMS0P5QUZ6D5"),
    ("il-central-1", "Z0313266YDI6ZRHTGQY4"),
    ("me-central-1", "Z00282643NTTLPANJJG2P"),
    ("me-south-1", "Z3QSRYVP46NYYV"),
    ("mx-central-1", "Z02031231H3ID6HYJ9A7U"),
    ("sa-east-1", "ZTK26PT1VY4CU"),
    ("us-east-1", "Z26RNL4JYFTOTI"),
    ("us-east-2", "ZLMOA37VPKANP"),
    ("us-gov-east-1", "Z1ZSMQQ6Q24QQ8"),
    ("us-gov-west-1", "ZMG1MZ2THAWF1"),
    ("us-west-1", "Z24FKFUX50B4VW"),
    ("us-west-2", "Z18D5FSROUN65G"),
];

/// General Reference, "AWS Elastic Beanstalk endpoints and quotas".
const ELASTIC_BEANSTALK: &[(&str, &str)] = &[
    ("af-south-1", "Z1EI3BVKMKK4AM"),
    ("ap-east-1", "ZPWYUBWRU171A"),
    ("ap-northeast-1", "Z1R25G3KIG2GBW"),
    ("ap-northeast-2", "Z3JE5OI70TWKCP"),
    ("ap-northeast-3", "ZNE5GEY1TIAGY"),
    ("ap-south-1", "Z18NTBI3Y7N9TZ"),
    ("ap-southeast-1", "Z16FZ9L249IFLT"),
    ("ap-southeast-2", "Z2PCDNR3VC2G1N"),
    ("ap-southeast-3", "Z05913172VM7EAZB40TA8"),
    ("ca-central-1", "ZJFCZL7SSZB5I"),
    ("eu-central-1", "Z1FRNW7UH4DEZJ"),
    ("eu-north-1", "Z23GO28BZ5AETM"),
    ("eu-south-1", "Z10VDYYOA2JFKM"),
    ("eu-west-1", "Z2NYPWQ7DFZAZH"),
    ("eu-west-2", "Z1GKAAAUGATPF1"),
    ("eu-west-3", "Z5WN6GAYWG5OB"),
    ("il-central-1", "Z02941091PERNCB1MI5H7"),
    ("me-south-1", "Z2BBTEKR2I36N2"),
    ("sa-east-1", "Z10X7K2B4QSOFV"),
    ("us-east-1", "Z117KPS5GTRQ2G"),
    ("us-east-2", "Z14LCN19Q5QHIC"),
    ("us-gov-east-1", "Z35TSARG0EJ4VU"),
    ("us-gov-west-1", "Z4KAURWC4UUUG"),
    ("us-west-1", "Z1LQECGX5PH1X"),
    ("us-west-2", "Z38NKT9BP95V3O"),
];

/// General Reference, "Amazon S3 endpoints and quotas": website endpoints. Two regions had another
/// id before.
const S3_WEBSITE: &[(&str, &str)] = &[
    ("af-south-1", "Z83WF9RJE8B12"),
    ("af-south-1", "Z11KHD8FBVPUYU"),
    ("ap-east-1", "ZNB98KWMFR0R6"),
    ("ap-northeast-1", "Z2M4EHUR26P7ZW"),
    ("ap-northeast-2", "Z3W03O7B5YMIYP"),
    ("ap-northeast-3", "Z2YQB5RD63NC85"),
    ("ap-south-1", "Z11RGJOFQNVJUP"),
    ("ap-south-2", "Z02976202B4EZMXIPMXF7"),
    ("ap-southeast-1", "Z3O0J2DXBE1FTB"),
    ("ap-southeast-2", "Z1WCIGYICN2BYD"),
    ("ap-southeast-3", "Z01846753K324LI26A3VV"),
    ("ap-southeast-4", "Z0312387243XT5FE14WFO"),
    ("ap-southeast-5", "Z08660063OXLMA7F1FJHU"),
    ("ca-central-1", "Z1QDHH18159H29"),
    ("ca-west-1", "Z03565811Z33SLEZTHOUL"),
    ("cn-north-1", "Z5CN8UMXT92WN"),
    ("cn-northwest-1", "Z282HJ1KT0DH03"),
    ("eu-central-1", "Z21DNDUVLTQW6Q"),
    ("eu-central-2", "Z030506016YDQGETNASS"),
    ("eu-north-1", "Z3BAZG2TWCNX0D"),
    ("eu-south-1", "Z30OZKI7KPW7MI"),
    ("eu-south-1", "Z3IXVV8C73GIO3"),
    ("eu-south-2", "Z0081959F7139GRJC19J"),
    ("eu-west-1", "Z1BKCTXD74EZPE"),
    ("eu-west-2", "Z3GKZC51ZF0DB4"),
    ("eu-west-3", "Z3R1K369G5AVDG"),
    ("il-central-1", "Z09640613K4A3MN55U7GU"),
    ("me-central-1", "Z06143092I8HRXZRUZROF"),
    ("me-south-1", "Z1MPMWCPA7YB62"),
    ("sa-east-1", "Z7KQH4QJS55SO"),
    ("us-east-1", "Z3AQBSTGFYJSTF"),
    ("us-east-2", "Z2O1EMRO9K5GLX"),
    ("us-gov-east-1", "Z2NIFVYYW2VKV1"),
    ("us-gov-west-1", "Z31GFT0UA1I2HV"),
    ("us-west-1", "Z2F56UZL2M1ACD"),
    ("us-west-2", "Z3BJ6K6RIION7M"),
];

/// General Reference, "Amazon API Gateway endpoints and quotas".
const API_GATEWAY: &[(&str, &str)] = &[
    ("af-south-1", "Z2DHW2332DAMTN"),
    ("ap-east-1", "Z3FD1VL90ND7K5"),
    ("ap-northeast-1", "Z1YSHQZHG15GKL"),
    ("ap-northeast-2", "Z20JF4UZKIW1U8"),
    ("ap-south-1", "Z3VO1THU9YC4UR"),
    ("ap-southeast-1", "ZL327KTPIQFUL"),
    ("ap-southeast-2", "Z2RPCDW04V8134"),
    ("ca-central-1", "Z19DQILCV0OWEC"),
    ("eu-central-1", "Z1U9ULNL0V5AJ3"),
    ("eu-north-1", "Z3UWIKFBOOGXPP"),
    ("eu-south-1", "Z3BT4WSQ9TDYZV"),
    ("eu-south-2", "Z02499852UI5HEQ5JVWX3"),
    ("eu-west-1", "ZLY8HYME6SFDD"),
    ("eu-west-2", "ZJ5UAJN8Y3Z2Q"),
    ("eu-west-3", "Z3KY65QIEKYHQQ"),
    ("me-central-1", "Z08780021BKYYY8U0YHTV"),
    ("me-south-1", "Z20ZBPC0SS8806"),
    ("sa-east-1", "ZCMLWB8V5SYIT"),
    ("us-east-1", "Z1UJRXOUMOOFQ8"),
    ("us-east-2", "ZOJJZC49E0EPZ"),
    ("us-gov-east-1", "Z3SE9ATJYCRCZJ"),
    ("us-gov-west-1", "Z1K6XKP9SAGWDV"),
    ("us-west-1", "Z2MUQ32089INYE"),
    ("us-west-2", "Z2OJLYMUO9EFXC"),
];

/// What interface endpoints state (EC2 API DnsEntry).
const VPC_ENDPOINT: &[(&str, &str)] = &[
    ("af-south-1", "Z09302161J80N9A7UTP7U"),
    ("ap-east-1", "Z2LIHJ7PKBEMWN"),
    ("ap-northeast-1", "Z2E726K9Y6RL4W"),
    ("ap-northeast-2", "Z27UANNT0PRK1T"),
    ("ap-northeast-3", "Z376B5OMM2JZL2"),
    ("ap-south-1", "Z2KVTB3ZLFM7JR"),
    ("ap-south-2", "Z0952991RWSF5AHIQDIY"),
    ("ap-southeast-1", "Z18LLCSTV4NVNL"),
    ("ap-southeast-2", "ZDK2GCRPAFKGO"),
    ("ap-southeast-3", "Z03881013RZ9BYYZO8N5W"),
    ("ap-southeast-4", "Z07508191CO1RNBX3X3AU"),
    ("ca-central-1", "ZRCXCF510Y6P9"),
    ("eu-central-1", "Z273ZU8SZ5RJPC"),
    ("eu-central-2", "Z045369019J4FUQ4S272E"),
    ("eu-north-1", "Z3OWWK6JFDEDGC"),
    ("eu-south-1", "Z2A5FDNRLY7KZG"),
    ("eu-south-2", "Z014396544HENR57XQCJ"),
    ("eu-west-1", "Z38GZ743OKFT7T"),
    ("eu-west-2", "Z7K1066E3PUKB"),
    ("eu-west-3", "Z1DWHTMFP0WECP"),
    ("me-central-1", "Z07122992YCEUCB9A9570"),
    ("me-south-1", "Z3B95P3VBGEQGY"),
    ("sa-east-1", "Z2LXUWEVLCVZIB"),
    ("us-east-1", "Z7HUB22UULQXV"),
    ("us-east-2", "ZC8PG0KIFKBRI"),
    ("us-gov-east-1", "Z2MU5TEIGO9WXB"),
    ("us-gov-west-1", "Z12529ZODG2B6H"),
    ("us-west-1", "Z12I86A8N7VCZO"),
    ("us-west-2", "Z1YSA3EXCYUU9Z"),
];

/// General Reference, "AWS App Runner endpoints and quotas".
const APP_RUNNER: &[(&str, &str)] = &[
    ("ap-northeast-1", "Z08491812XW6IPYLR6CCA"),
    ("ap-south-1", "Z00855883LBHKTIC4ODF2"),
    ("ap-southeast-1", "Z09819469CZ3KQ8PWMCL"),
    ("ap-southeast-2", "Z03657752RA8799S0TI5I"),
    ("eu-central-1", "Z0334911C2FDI2Q9M4FZ"),
    ("eu-west-1", "Z087551914Z2PCAU0QHMW"),
    ("eu-west-2", "Z098228427VC6B3IX76ON"),
    ("eu-west-3", "Z087117439MBKHYM69QS6"),
    ("us-east-1", "Z01915732ZBZKC8D32TPT"),
    ("us-east-2", "Z0224347AD7KVHMLOX31"),
    ("us-west-2", "Z02243383FTQ64HJ5772Q"),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn id(text: &str) -> HostedZoneId {
        HostedZoneId(text.to_owned())
    }

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn a_zone_belongs_to_one_service_and_region() {
        let tables = [LOAD_BALANCERS, NETWORK_LOAD_BALANCERS, ELASTIC_BEANSTALK, CLOUDFRONT, GLOBAL_ACCELERATOR];
        let tables = tables.into_iter().chain([S3_WEBSITE, API_GATEWAY, VPC_ENDPOINT, APP_RUNNER]);
        let mut ids = HashSet::new();
        for (region, known) in tables.flatten() {
            assert!(ids.insert(known), "{known} of {region} is there twice");
            assert!(known.starts_with('Z') && (8..=32).contains(&known.len()), "{known}");
            assert!(known.bytes().all(|octet| octet.is_ascii_uppercase() || octet.is_ascii_digit()), "{known}");
        }
        assert!(ids.len() > 190, "{}", ids.len());
    }

    #[test]
    fn names_lie_within_the_zone_of_their_service_and_region() {
        for (zone, service, inside, outside) in [
            (
                "Z35SXDOTRQ7X7K",
                AliasService::ApplicationLoadBalancer,
                "dualstack.my-lb-123.us-east-1.elb.amazonaws.com",
                "my-lb-123.us-east-2.elb.amazonaws.com",
            ),
            (
                "Z26RNL4JYFTOTI",
                AliasService::NetworkLoadBalancer,
                "my-nlb.elb.us-east-1.amazonaws.com",
                "my-nlb.us-east-1.elb.amazonaws.com",
            ),
            (
                "Z1GDH35T77C1KE",
                AliasService::ApplicationLoadBalancer,
                "a.cn-north-1.elb.amazonaws.com.cn",
                "a.cn-north-1.elb.amazonaws.com",
            ),
            ("Z2FDTNDATAQYW2", AliasService::CloudFront, "d123.cloudfront.net", "cloudfront.net.test"),
            (
                "Z1UJRXOUMOOFQ8",
                AliasService::ApiGateway,
                "d-1.execute-api.us-east-1.amazonaws.com",
                "d-1.execute-api.us-east-2.amazonaws.com",
            ),
            (
                "Z7HUB22UULQXV",
                AliasService::VpcEndpoint,
                "vpce-1.s3.us-east-1.vpce.amazonaws.com",
                "vpce-1.s3.us-east-2.vpce.amazonaws.com",
            ),
            (
                "Z2BJ6XQ5FK7U4H",
                AliasService::GlobalAccelerator,
                "a1.awsglobalaccelerator.com",
                "a1.awsglobalaccelerator.test",
            ),
            ("Z3AQBSTGFYJSTF", AliasService::S3Website, "s3-website-us-east-1.amazonaws.com", "s3.amazonaws.com"),
            ("Z2O1EMRO9K5GLX", AliasService::S3Website, "s3-website.us-east-2.amazonaws.com", "s3.amazonaws.com"),
        ] {
            assert_eq!(AliasService::of_zone(&id(zone)), Some(service));
            assert!(AliasService::zone_holds(&id(zone), &name(inside)), "{inside}");
            assert!(!AliasService::zone_holds(&id(zone), &name(outside)), "{outside}");
            assert_eq!(service.zone_of(&name(inside)), Some(id(zone)));
        }
        assert_eq!(AliasService::of_zone(&id("Z1")), None);
        // API AliasTarget EvaluateTargetHealth: true is allowed and changes nothing.
        let without_effect = [
            AliasService::S3Website,
            AliasService::ApiGateway,
            AliasService::VpcEndpoint,
            AliasService::GlobalAccelerator,
        ];
        for service in without_effect {
            assert_eq!(service.target_health(), TargetHealth::NoEffect, "{service:?}");
        }
    }
}
